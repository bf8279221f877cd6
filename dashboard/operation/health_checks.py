"""The doctor's checks of the dashboard's counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone

from dashboard.cube.counting import marks
from dashboard.models import Check
from predictions.models import Prediction
from predictions.operation.doctor import Finding, attention, broken, examines

BEHIND = timedelta(minutes=10)  # a task counts every minute, and each page before it is served


@examines()
def cube_is_counted() -> Iterator[Finding]:
    waiting = Prediction.objects.filter(
        pk__gt=marks().prediction, created_at__lt=timezone.now() - BEHIND
    )
    if count := waiting.count():
        yield attention(
            "cube_behind",
            f"{count:,} drawings older than {BEHIND.seconds // 60} minutes are not counted.",
            why="The dashboard's figures are of the past.",
            todo="Run `manage.py work`; `manage.py rebuild_cube` counts at once.",
        )


@examines()
def cube_is_right() -> Iterator[Finding]:
    last = Check.objects.first()
    if last is not None and last.differences:
        yield broken(
            "cube_differs",
            f"At the last look {last.differences:,} rows of the cube were not what the logs say.",
            why="The dashboard shows wrong figures.",
            todo="Run `manage.py rebuild_cube`; it mends them from the logs.",
        )
