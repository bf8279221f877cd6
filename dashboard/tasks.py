"""What background workers are asked to do, by dotted path. Small dictionaries out."""

from __future__ import annotations

from typing import Any

from predictions.errors import Declined

COUNT_FOR = 45.0  # seconds; the next job goes on
CHECK_FOR = 200.0  # seconds; a worker's job may take 300


def count() -> dict[str, Any]:
    """Bring the cube up to date with what was captured and labeled."""
    from dashboard.counting import catch_up

    at = catch_up(seconds=COUNT_FOR)
    return {"prediction": at.prediction, "event": at.event}


def check() -> dict[str, Any]:
    """Hold the cube against a recount from nothing and note what was found."""
    from dashboard.rebuild import check

    try:
        made = check(seconds=CHECK_FOR)
    except Declined as declined:
        return {"declined": str(declined)}
    return {"months": made.months, "differences": made.differences}
