"""The history's fine-tunes. They really run, here and now; then their times are put back.

What is put back says so: on the run's log, on the version's card, in the ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import F
from django.utils import timezone

from predictions.models import ModelVersion
from predictions.serving.registry import BASE_DIR, Bundle, register
from training.models import Epoch, GateReport, Promotion, Run, Snapshot
from training.runs import retrain
from training.runs.recipe import Tuning
from training.snapshots.snapshots import default_rule
from training.versions.promotion import live_version, promote

PREFIX = "demo-"  # of the names of the history's versions; their fine-tunes inherit it
# Less than in earnest, to take a minute; gently distorted, since the drawings are so already.
TUNING = Tuning(epochs=5, digits_an_epoch=6_000, distortion=0.6)
LEAST_LABELS = 20


def start_with_base(at: datetime) -> ModelVersion:
    """The shipped version once more, under a name of the history, live from its first day."""
    bundle = Bundle.from_folder(BASE_DIR)
    name = f"{PREFIX}{bundle.name}"
    version = register(replace(bundle, name=name, card={**bundle.card, "demo": marked(at)}))
    promotion = promote(version, by=None, why="Demo: the made-up history begins.")
    ModelVersion.objects.filter(pk=version.pk).update(created_at=at)
    put_back_promotion(promotion, at)
    return version


def fine_tune(
    at: datetime, *, by: User, tuning: Tuning, watch: Callable[[float], object]
) -> ModelVersion:
    """A run on what is labeled, judged by the gate, promoted, and put back to this moment."""
    run = retrain.queue(
        default_rule(), trigger=Run.Trigger.PAGE, by=by, least=LEAST_LABELS, seed=0, tuning=tuning
    )
    done = retrain.execute(run.pk, watch=watch)
    assert done is not None  # nobody else was told of it
    assert done.version is not None
    report = GateReport.objects.get(candidate=done.version)
    if live_version() != done.version:
        promote_anyway(done.version, report, by=by)
    put_back(done, report, at)
    return done.version


def promote_anyway(version: ModelVersion, report: GateReport, *, by: User) -> None:
    """The gate asks for more labels than a small history has; then a person decides, and says so.

    A version it rejects stays rejected: a history may have that too.
    """
    if report.verdict == GateReport.Verdict.REJECT:
        return
    why = f"Demo: promoted by hand to show what follows. The gate: {report.reasons[0]}"
    promote(version, by=by, why=why, report=report)


def put_back(run: Run, report: GateReport, at: datetime) -> None:
    """Everything the run wrote happened, by its times, at this moment; durations stay true."""
    by = run.asked_at - at
    note = note_of(run, at)
    Run.objects.filter(pk=run.pk).update(
        asked_at=F("asked_at") - by,
        started_at=F("started_at") - by,
        ended_at=F("ended_at") - by,
        heartbeat_at=F("heartbeat_at") - by,
        log=note + run.log,
    )
    Epoch.objects.filter(run=run).update(ended_at=F("ended_at") - by)
    Snapshot.objects.filter(pk=run.snapshot_id).update(created_at=F("created_at") - by)
    GateReport.objects.filter(pk=report.pk).update(made_at=F("made_at") - by)
    assert run.version is not None
    version = run.version
    ModelVersion.objects.filter(pk=version.pk).update(
        created_at=F("created_at") - by, card={**version.card, "demo": marked(at)}
    )
    promotion = Promotion.objects.filter(after=version).first()
    if promotion is not None:
        put_back_promotion(promotion, promotion.made_at - by)


def put_back_promotion(promotion: Promotion, at: datetime) -> None:
    why = f"{promotion.why} (Really on {timezone.localtime(promotion.made_at):%Y-%m-%d %H:%M}.)"
    Promotion.objects.filter(pk=promotion.pk).update(made_at=at, why=why)
    ModelVersion.objects.filter(pk=promotion.after_id).update(live_since=at)


def note_of(run: Run, at: datetime) -> str:
    really = timezone.localtime(run.asked_at)
    took = (run.ended_at or run.asked_at) - run.asked_at
    return (
        f"Demo: this run really took place on {really:%Y-%m-%d at %H:%M} and took"
        f" {took / timedelta(seconds=1):.0f} s; its times are put back to"
        f" {timezone.localtime(at):%Y-%m-%d}.\n"
    )


def marked(at: datetime) -> dict[str, Any]:
    return {"really_made_at": timezone.now().isoformat(), "shown_as_made_at": at.isoformat()}
