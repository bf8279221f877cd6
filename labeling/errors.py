from __future__ import annotations

from predictions.errors import Declined


class LeaseLost(Declined):
    """The hold ran out, was given up, or somebody else has it."""

    code = "lease_lost"


class NothingToUndo(Declined):
    """There is no decision of theirs left to take back."""

    code = "nothing_to_undo"


class AlreadyUndone(Declined):
    """What is to be taken back was taken back before."""

    code = "already_undone"


class Gone(Declined):
    """What it is about changed meanwhile."""

    code = "changed_meanwhile"


class NotShown(Declined):
    """Something is said about an item that was not shown."""

    code = "not_shown"


class StillBlind(Declined):
    """Its first answer is a labeler's, who is not shown what the model said."""

    code = "still_blind"


class EmptySelection(Declined):
    """Nothing is selected; that never means everything."""

    code = "empty_selection"
