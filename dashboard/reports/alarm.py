"""A nightly test whether accuracy fell, on audited drawings only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from dashboard.cube.sums import authors_of
from dashboard.figures.accuracy import daily
from dashboard.figures.difference import ShareDifference, between
from dashboard.figures.figure import ENOUGH
from dashboard.figures.sample import Sample, together
from dashboard.filters import Filters
from predictions.months import month_of

RECENT = timedelta(days=28)  # compared with BEFORE
BEFORE = timedelta(days=84)  # the days before RECENT
# 99.9 %, because nearly the same drawings are tested every night
# (docs/decisions/2026-11-21-accuracy-alarm.md).
SURE = 3.29  # standard deviations


@dataclass(frozen=True, slots=True)
class Fall:
    """Accuracy before and recently, and the difference with its interval."""

    before: Sample
    recent: Sample
    by: ShareDifference

    def as_json(self) -> dict[str, Any]:
        return {
            "before": alarm_text(self.before, BEFORE),
            "recent": alarm_text(self.recent, RECENT),
            "fell_by": round(-self.by.value, 4),
            "fell_by_at_least": round(-self.by.high, 4),
        }


def alarm_text(sample: Sample, span: timedelta) -> dict[str, Any]:
    share = sample.share
    return {"days": span.days, "accuracy": share and round(share.value, 4), "audits": sample.n}


def fallen(today: date) -> Fall | None:
    """The fall in the RECENT days before `today`; None if chance may explain it or n is small."""
    middle = today - RECENT
    first = middle - BEFORE
    samples = daily(Filters(first=month_of(first), last=month_of(today)))
    before = together(sample for day, sample in samples.items() if first <= day < middle)
    recent = together(sample for day, sample in samples.items() if middle <= day < today)
    before.authors = authors_of(Filters(first=month_of(first), last=month_of(middle)))
    recent.authors = authors_of(Filters(first=month_of(middle), last=month_of(today)))
    by = between(before, recent, SURE)
    if by is None or min(before.n, recent.n) < ENOUGH:
        return None
    return Fall(before, recent, by) if by.high < 0 else None
