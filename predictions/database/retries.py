"""Rows that are acted on when they are due, and again some time after a failure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet

from predictions.database.clock import Moment


def attempt_due(
    due: QuerySet[Any],
    attempt: Callable[[Any], bool],
    *,
    waits: Sequence[timedelta],
    at_once: int,
) -> tuple[int, int]:
    """Attempt some of the rows that are due; return how many succeeded and how many failed.

    Rows have `attempts` and `next_at`. Each attempt is counted before it is made, so that of two
    processes one makes it, and one that is killed is made again after the wait.
    """
    succeeded = failed = 0
    for row in due[:at_once]:
        wait = waits[min(row.attempts, len(waits) - 1)]
        mine = due.filter(pk=row.pk, attempts=row.attempts)
        if not mine.update(attempts=row.attempts + 1, next_at=Moment() + wait):
            continue
        row.attempts += 1
        if attempt(row):
            succeeded += 1
        else:
            failed += 1
    return succeeded, failed
