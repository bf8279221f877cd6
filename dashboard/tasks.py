"""What background workers are asked to do, by dotted path. Small dictionaries out."""

from __future__ import annotations

from typing import Any

from django_q.tasks import async_task

from dashboard import clusters
from dashboard import replay as replays
from training.promotion import live_version


def look_after_replay() -> dict[str, Any]:
    """Every minute: ask for the jobs that would find something to do."""
    due = {"replay": replays.is_due() and replays.ring(), "map": clusters.is_due()}
    if due["map"]:
        async_task("dashboard.tasks.digit_map", task_name="digit map")
    return due


def replay() -> dict[str, Any]:
    """A slice of the replay; it asks for the next one while something is left."""
    replays.answer_bell()
    progress = replays.work()
    if not progress.is_complete:
        replays.ring()
    return {"done": progress.done, "wanted": progress.wanted}


def digit_map() -> dict[str, Any]:
    """A map by the live version, unless another job made it meanwhile."""
    version = live_version()
    if version is None or not clusters.is_due():
        return {"made": False}
    return {"made": True, "version": version.name, "exit": clusters.make_apart(version)}
