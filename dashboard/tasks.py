"""Background tasks, enqueued by dotted path. django-q2 stores their results, so they are small."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django_q.tasks import async_task

from dashboard.cube.counting import catch_up
from dashboard.cube.missing import count_missing
from dashboard.demo import job
from dashboard.replay import clusters
from dashboard.replay import replay as replays
from dashboard.reports.alarm import RECENT, fallen
from predictions.errors import Declined
from predictions.months import month_of
from training.messages.outbox import tell
from training.models import Message
from training.versions.promotion import live_version

COUNT_FOR = 45.0  # seconds; the next task continues
CHECK_FOR = 200.0  # seconds; a task may take 300


def count() -> dict[str, Any]:
    """Count new predictions and label events."""
    at = catch_up(seconds=COUNT_FOR)
    count_missing(since=month_of(month_of(timezone.localdate()) - timedelta(days=1)))
    return {"prediction": at.prediction, "event": at.event}


def check() -> dict[str, Any]:
    """Every night: count the missing audits of all months, compare the cube with a full recount."""
    from dashboard.cube.rebuild import check_counts

    count_missing()
    try:
        made = check_counts(seconds=CHECK_FOR)
    except Declined as declined:
        return {"declined": str(declined)}
    return {"months": made.months, "differences": made.differences}


def look_after_replay() -> dict[str, Any]:
    """Every minute: enqueue the replay and the digit map where they have work."""
    due = {"replay": replays.is_due() and replays.enqueue_part(), "map": clusters.is_map_due()}
    if due["map"]:
        async_task("dashboard.tasks.digit_map", task_name="digit map")
    return due


def replay() -> dict[str, Any]:
    """Do a part of the replay; enqueue the next part if work is left."""
    replays.answer_bell()
    progress = replays.replay_for()
    if not progress.is_complete:
        replays.enqueue_part()
    return {"done": progress.done, "wanted": progress.wanted}


def digit_map() -> dict[str, Any]:
    """Make a map by the live version, unless another task has made it."""
    version = live_version()
    if version is None or not clusters.is_map_due():
        return {"made": False}
    return {"made": True, "version": version.name, "exit": clusters.make_apart(version)}


def make_demo() -> dict[str, Any]:
    """Make the demo, on the training workers: it teaches three versions."""
    try:
        return {"drawings": job.make_for_page()}
    except Declined as declined:
        return {"declined": str(declined)}


def watch_accuracy() -> dict[str, Any]:
    """Every night: report a fall of accuracy, at most once in RECENT days."""
    catch_up(seconds=COUNT_FOR)
    today = timezone.localdate()
    fall = fallen(today)
    if fall is None:
        return {"fell": False}
    known = Message.objects.filter(
        kind=Message.Kind.FELL, happened_at__gte=timezone.now() - RECENT
    ).exists()
    said = 0 if known else tell(Message.Kind.FELL, f"accuracy up to {today}", fall.as_json())
    return {"fell": True, "told": said, **fall.as_json()}


def recount_replay() -> dict[str, Any]:
    """Every night: recount from the logs, so that rows deleted since no longer count."""
    replays.rebuild_items()
    return replay()
