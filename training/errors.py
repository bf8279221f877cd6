from __future__ import annotations

from predictions.errors import Declined


class NotEnoughLabels(Declined):
    """There is too little new to learn from."""

    code = "not_enough_labels"


class AlreadyRunning(Declined):
    """One run at a time."""

    code = "already_running"


class NotActive(Declined):
    """The run has ended; there is nothing to cancel."""

    code = "not_active"


class NotReproducible(Declined):
    """Nothing here says how the version was made."""

    code = "not_reproducible"
