from __future__ import annotations

from predictions.errors import Declined


class NotEnoughLabels(Declined):
    """There are fewer labels than the run needs."""

    code = "not_enough_labels"


class AlreadyRunning(Declined):
    """Another run is queued or running."""

    code = "already_running"


class NotActive(Declined):
    """The run has ended; there is nothing to cancel."""

    code = "not_active"


class NotWithdrawn(Declined):
    """The person to readmit was never withdrawn."""

    code = "not_withdrawn"


class BrokenCheckpoint(Declined):
    """The checkpoint of an earlier attempt is damaged or of another release."""

    code = "broken_checkpoint"


class NotReproducible(Declined):
    """The version cannot be made again from its rows."""

    code = "not_reproducible"


class Overtaken(Declined):
    """Another version went live in the meantime."""

    code = "overtaken"


class AlreadyLive(Declined):
    """The version is already live."""

    code = "already_live"


class NeedsReason(Declined):
    """The promotion of a version that won no trial needs a reason."""

    code = "needs_reason"


class NothingBefore(Declined):
    """There is no sound version to roll back to."""

    code = "nothing_before"


class NothingLive(Declined):
    """There is no live version to compare with."""

    code = "nothing_live"


class BackupFailed(Declined):
    """The backup could not be made; no file was left under its name."""

    code = "backup_failed"


class BackupRefused(Declined):
    """The file cannot be restored here."""

    code = "backup_refused"
