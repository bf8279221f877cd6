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


class NotWithdrawn(Declined):
    """Whoever is to be let in again never was left out."""

    code = "not_withdrawn"


class BrokenCheckpoint(Declined):
    """What an attempt put aside is not what it was."""

    code = "broken_checkpoint"


class NotReproducible(Declined):
    """Nothing here says how the version was made."""

    code = "not_reproducible"


class Overtaken(Declined):
    """Somebody else changed what is live at the same time; look again."""

    code = "overtaken"


class AlreadyLive(Declined):
    """It answers already."""

    code = "already_live"


class NeedsReason(Declined):
    """What the gate did not speak for needs a person's reason."""

    code = "needs_reason"


class NothingBefore(Declined):
    """There is no sound version to go back to."""

    code = "nothing_before"


class NothingLive(Declined):
    """There is no live version to compare with."""

    code = "nothing_live"


class BackupFailed(Declined):
    """The backup could not be made; nothing under its name was left."""

    code = "backup_failed"


class BackupRefused(Declined):
    """The file is no backup that may be restored here."""

    code = "backup_refused"
