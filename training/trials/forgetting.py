"""Deletes the readings of trials that ended: they are as many as there were drawings meanwhile."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet

from predictions.database import clock
from predictions.database.slices import slices
from predictions.models import ModelVersion
from training.models import Trial, TrialReading
from training.trials.summary import OF_TRIAL, figures_of, summary_of

logger = logging.getLogger(__name__)
KEPT = timedelta(days=7)  # after a trial ended
AT_ONCE = 5_000  # rows in one statement, so that locks are short


def forget_readings() -> int:
    """Delete the readings that no page shows, and return how many; trials keep their counts."""
    forgotten = 0
    for trial in over().select_related(*OF_TRIAL):
        keep_figures(trial)
        for some in slices(TrialReading.objects.filter(trial=trial), AT_ONCE):
            forgotten += some.delete()[0]
        logger.info("the readings of trial %s were deleted", trial.pk)
    return forgotten


def over() -> QuerySet[Trial]:
    """Trials that ended some time ago, but for the one by which the live version went live.

    The draw page says what the live version brought a person, from that trial's readings.
    """
    shown = Q(state=Trial.State.PROMOTED, candidate__state=ModelVersion.State.LIVE)
    readings = TrialReading.objects.filter(trial=OuterRef("pk"))
    ended = Trial.objects.filter(ended_at__lt=clock.now() - KEPT).exclude(state=Trial.State.WON)
    return ended.exclude(shown).filter(Exists(readings)).order_by("pk")


def keep_figures(trial: Trial) -> None:
    """Store what pages show of a trial that ended without a report."""
    if trial.report is None and trial.figures is None:
        summary = summary_of(trial)
        trial.figures = figures_of(summary, summary.told)
        trial.save(update_fields=["figures"])
