from __future__ import annotations

from predictions.errors import Declined


class LeaseLost(Declined):
    """The lease expired, was given back, or belongs to somebody else."""

    code = "lease_lost"


class NothingToUndo(Declined):
    """The person has no decision left to undo."""

    code = "nothing_to_undo"


class AlreadyUndone(Declined):
    """It was undone before."""

    code = "already_undone"


class Gone(Declined):
    """What the request is about has changed meanwhile."""

    code = "changed_meanwhile"


class NotShown(Declined):
    """The answer is about an item that was not shown."""

    code = "not_shown"


class StillBlind(Declined):
    """The first answer must come from a labeler who does not see the model's guess."""

    code = "still_blind"


class EmptySelection(Declined):
    """Nothing is selected. An empty selection never means all items."""

    code = "empty_selection"
