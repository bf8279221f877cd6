"""The difference of two shares with its interval. Pure.

These are Newcombe's intervals (1998), made of those of the shares. Unlike the usual ones they have
the stated coverage for shares near 1 and for few labels. Two shares may differ by more than chance
although their intervals overlap. Of samples whose authors are known, the difference is a claim
about the model: its interval is wide enough for other people's drawings too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from datetime import date

from dashboard.cube.authors import Authors
from dashboard.figures.figure import Share
from dashboard.figures.people import OneSide, widening
from dashboard.figures.sample import Audits, Sample, sample_of_audits
from predictions.shares import Z95, exact
from training.trials.pairs import Pairs


@dataclass(frozen=True, slots=True)
class ShareDifference:
    """The second share minus the first, with an interval of the same level as the shares'."""

    value: float
    low: float
    high: float

    @property
    def is_more_than_chance(self) -> bool:
        return self.low > 0 or self.high < 0

    @property
    def in_words(self) -> str:
        if self.is_more_than_chance:
            return "more than chance"
        return "not more than chance could make it"


def difference(before: Share | ShareDifference, after: Share | ShareDifference) -> ShareDifference:
    """The difference of two estimates from independent samples: of shares, or of differences."""
    value = after.value - before.value
    down = math.hypot(after.value - after.low, before.high - before.value)
    up = math.hypot(after.high - after.value, before.value - before.low)
    return ShareDifference(value, value - down, value + up)


def between(before: Sample, after: Sample, z: float = Z95) -> ShareDifference | None:
    """The difference of two samples; None if one of them has no labels."""
    sides = [each for each in (before.side(-1), after.side()) if each is not None]
    wider = widening(sides, sides[0].authors.alike) if len(sides) == 2 else 1.0
    was, now = before.share_within(z, wider), after.share_within(z, wider)
    return difference(was, now) if was and now else None


def difference_of_pairs(better: float, worse: float, n: float) -> ShareDifference:
    """The difference of two shares of the same drawings, of which so many were only in one."""
    more, less = better / n, worse / n
    (more_low, more_high), (less_low, less_high) = exact(better, n), exact(worse, n)
    # The two exclude each other, so they are correlated.
    free = (1 - more) * (1 - less)
    twice = 2 * math.sqrt(more * less / free) if free else 2.0
    down, down_too = more - more_low, less_high - less
    up, up_too = more_high - more, less - less_low
    return ShareDifference(
        more - less,
        more - less - math.sqrt(down**2 + down_too**2 + twice * down * down_too),
        more - less + math.sqrt(up**2 + up_too**2 + twice * up * up_too),
    )


def between_pairs(
    pairs: Mapping[tuple[date, int], Pairs], told: Audits, authors: Authors | None = None
) -> ShareDifference:
    """The difference; weighted if the drawings had different chances of being audited."""
    sample = sample_of_audits(((*place, each.n, 0) for place, each in pairs.items()), told)
    by_chance = {
        chance: sum_of_pairs(each for (_, other), each in pairs.items() if other == chance)
        for chance in {chance for _, chance in pairs}
    }
    wider = 1.0
    if authors is not None:
        spread = {chance: deviation(each) for chance, each in by_chance.items()}
        wider = widening([OneSide(authors, sample.weights, spread)], authors.alike_in_pairs)
    if not sample.is_weighted:
        return widened(sum_of_pairs(pairs.values()), wider)
    found = {chance: astuple(widened(some, wider)) for chance, some in by_chance.items()}
    return ShareDifference(*sample.mean(found, Z95, -1.0, 1.0, wider))


def widened(pairs: Pairs, wider: float) -> ShareDifference:
    """The difference with an interval as from so many times fewer drawings."""
    return difference_of_pairs(pairs.better / wider, pairs.worse / wider, pairs.n / wider)


def deviation(pairs: Pairs) -> float:
    """Of the difference between two versions on one drawing; not 0 where none was found."""
    differ = (pairs.better + pairs.worse + 0.5) / (pairs.n + 1)
    return math.sqrt(max(differ - pairs.difference**2, 0.0))


def sum_of_pairs(pairs: Iterable[Pairs]) -> Pairs:
    some = list(pairs)
    return Pairs(
        sum(each.better for each in some),
        sum(each.worse for each in some),
        sum(each.n for each in some),
    )
