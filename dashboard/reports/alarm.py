"""Did accuracy fall? Asked every night, of drawings chosen at random alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from dashboard.figures.accuracy import daily
from dashboard.figures.difference import Difference, difference
from dashboard.figures.figure import ENOUGH
from dashboard.figures.sample import Sample, together
from dashboard.filters import Filters

RECENT = timedelta(days=28)  # compared with ...
BEFORE = timedelta(days=84)  # ... so many days before them
# It is asked night after night of nearly the same drawings: at 99.9 % it cries wolf once in fifteen
# years (2,000 of them simulated, with 10 audits a day), at 99 % every third year.
SURE = 3.29  # standard deviations


@dataclass(frozen=True, slots=True)
class Fall:
    """Accuracy of the last days and of those before, and how far apart they are at least."""

    before: Sample
    recent: Sample
    by: Difference

    def as_json(self) -> dict[str, Any]:
        return {
            "before": told(self.before, BEFORE),
            "recent": told(self.recent, RECENT),
            "fell_by": round(-self.by.value, 4),
            "fell_by_at_least": round(-self.by.high, 4),
        }


def told(sample: Sample, span: timedelta) -> dict[str, Any]:
    share = sample.share
    return {"days": span.days, "accuracy": share and round(share.value, 4), "audits": sample.n}


def fallen(today: date) -> Fall | None:
    """The fall of the days before this one, if it is more than chance can make of so many looks."""
    middle = today - RECENT
    first = middle - BEFORE
    samples = daily(Filters(first=first.replace(day=1), last=today.replace(day=1)))
    before = together(sample for day, sample in samples.items() if first <= day < middle)
    recent = together(sample for day, sample in samples.items() if middle <= day < today)
    was, now = before.share_within(SURE), recent.share_within(SURE)
    if was is None or now is None or min(before.n, recent.n) < ENOUGH:
        return None
    by = difference(was, now)
    return Fall(before, recent, by) if by.high < 0 else None
