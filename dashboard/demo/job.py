"""The demo as a background task: asked for on a page, made by the training workers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

from dashboard.demo.plan import (
    COUNTING,
    DRAWING,
    DRAWINGS,
    LIVING,
    TEACHING,
    DemoDeclined,
    check_allowed,
)
from dashboard.models import DemoJob
from predictions.database.clock import Moment
from predictions.errors import Declined
from training.runs.pace import Every

WAITING = "Waiting for a training worker"
TOLD = {TEACHING, DRAWING, LIVING, COUNTING}  # other stages are within one transaction
TELL_EVERY = 1.0  # seconds between two updates within a stage
SILENT = timedelta(minutes=10)  # without a new stage; then its worker counts as lost


@transaction.atomic
def request_demo() -> None:
    """Note that it was asked for, and enqueue its task, once."""
    check_allowed(DRAWINGS, force=False)
    job, is_first = DemoJob.objects.get_or_create(pk=1, defaults=stage_of(WAITING, 0.0))
    if not is_first:
        seen = {"stage": job.stage, "reason": job.reason, "changed_at": job.changed_at}
        taken = why_not_made(job) and DemoJob.objects.filter(**seen).update(
            **stage_of(WAITING, 0.0)
        )
        if not taken:  # it goes on, or somebody else has just asked for it again
            raise DemoDeclined("A history is being made up already.")
    async_task("dashboard.tasks.make_demo", cluster="training", task_name="demo")


def why_not_made(job: DemoJob) -> str:
    """Why there will be no demo; empty while it is being made or waits."""
    if job.stage == WAITING and not OrmQ.objects.filter(key="training").exists():
        return "Its task is no longer in the queue of the training workers."
    if job.stage != WAITING and job.changed_at < timezone.now() - SILENT:
        return "Its worker has said nothing for ten minutes."
    return job.reason


def make_for_page() -> int:
    """Make the demo, noting each stage or why it failed; returns the number of its drawings."""
    from dashboard.demo import seeding  # with torch

    is_time, last = Every(TELL_EVERY), ""

    def tell(stage: str, share: float) -> None:
        nonlocal last
        if stage in TOLD and (is_time() or stage != last):
            note_stage(stage, share)
            last = stage

    try:
        seeding.seed_demo(DRAWINGS, 1, timezone.localdate(), force=False, told=tell)
    except Declined as declined:
        note_failure(str(declined))
        raise
    except Exception as failed:
        note_failure(f"{type(failed).__name__}: {failed}.")
        raise
    DemoJob.objects.all().delete()
    return DRAWINGS


def note_stage(stage: str, share: float) -> None:
    DemoJob.objects.update_or_create(pk=1, defaults=stage_of(stage, share))


def stage_of(name: str, share: float) -> dict[str, Any]:
    """The fields of the row at this stage."""
    return {"stage": name, "progress": share, "reason": "", "changed_at": Moment()}


def note_failure(reason: str) -> None:
    DemoJob.objects.update(reason=reason, changed_at=Moment())
