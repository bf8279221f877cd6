"""Two versions compared on the same drawings. Both read them in the replay, neither learned from
them. The shares and the difference are of these.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from dashboard.cube.sums import audit_counts, authors_of, every_month
from dashboard.figures.difference import between_pairs, sum_of_pairs
from dashboard.figures.periods import Period, periods_of
from dashboard.figures.replay import filtered_rows
from dashboard.figures.sample import Audits, Sample, sample_of_audits, sampled_from
from dashboard.figures.sentences import which_drawings
from dashboard.figures.words import span_in_words
from dashboard.filters import Filters
from dashboard.models import ReplayPair
from dashboard.reports.comparison import Bar, Behind, Comparison, Side
from training.trials.pairs import Pairs

MOST_BARS = 12  # of each version, side by side


class CommonCount(NamedTuple):
    """Drawings of a month, digit and chance that both versions read and neither learned from."""

    month: date
    digit: int
    chance: int
    n: int
    both: int  # read right by both; None in rows of before an upgrade
    unseen: int  # by people whom neither learned from
    unseen_better: int
    unseen_worse: int
    better: int  # by the second alone
    worse: int  # by the first alone

    @property
    def by_unseen(self) -> CommonCount:
        """The counts of the drawings by people whom neither learned from."""
        return self._replace(n=self.unseen, better=self.unseen_better, worse=self.unseen_worse)

    @property
    def turned(self) -> CommonCount:
        """With the versions exchanged."""
        return self._replace(
            better=self.worse,
            worse=self.better,
            unseen_better=self.unseen_worse,
            unseen_worse=self.unseen_better,
        )

    @property
    def pairs(self) -> Pairs:
        return Pairs(self.better, self.worse, self.n)


def of_versions(first: str, second: str, filters: Filters) -> Comparison:
    """Two versions on the same audited drawings of the period. Three queries."""
    found = common_counts(first, second, filters)
    told, counts = audit_counts(filters), found or []
    period_of = periods_of_counts(counts)
    one, other = (
        side_of_version(name, right, told, filters, period_of)
        for name, right in (
            (first, [(each, each.both + each.worse) for each in counts]),
            (second, [(each, each.both + each.better) for each in counts]),
        )
    )
    authors = authors_of(Filters(first=filters.first, last=filters.last, digit=filters.digit))
    unseen = pairs_by_chance([each.by_unseen for each in counts if each.unseen])
    return Comparison(
        one,
        other,
        between_pairs(pairs_by_chance(counts), told, authors) if one.is_enough else None,
        which_drawings(Filters(digit=filters.digit)),
        "by digit" if filters.digit is None else f"over time, for the digit {filters.digit}",
        sum_of_pairs(each.pairs for each in counts),
        sum_of_pairs(unseen.values()),
        between_pairs(unseen, told) if unseen else None,
        is_counted=found is not None,
    )


def common_counts(first: str, second: str, filters: Filters) -> list[CommonCount] | None:
    """In the order of months and digits; None while some are to be counted again."""
    names = [first, second]
    rows = ReplayPair.objects.filter(first__name__in=names, second__name__in=names, n__gt=0)
    found = filtered_rows(rows, filters).order_by("month", "digit", "chance")
    values = found.values_list("first__name", *CommonCount._fields)
    counts = [(older, CommonCount._make(rest)) for older, *rest in values]
    if any(each.both is None for _, each in counts):
        return None
    return [each if older == first else each.turned for older, each in counts]


def periods_of_counts(counts: Sequence[CommonCount]) -> dict[date, Period]:
    """The period of each month: as many as can stand side by side, of enough drawings each."""
    months = every_month([each.month for each in counts])
    n = Counter[date]()
    for each in counts:
        n[each.month] += each.n
    return periods_of(list(months), n.values(), most=MOST_BARS)


def side_of_version(
    name: str,
    right: Sequence[tuple[CommonCount, int]],
    told: Audits,
    filters: Filters,
    period_of: Mapping[date, Period],
) -> Side:
    """`right` is how many of each count the version read right."""
    first, last = (f"{at:%Y-%m}" if at else None for at in (filters.first, filters.last))
    parts: defaultdict[tuple[str, Behind], list[tuple[CommonCount, int]]] = defaultdict(list)
    for each, hits in right:
        if filters.digit is None:
            part = str(each.digit), Behind(each.digit, first, last)
        else:
            start, end = (f"{month:%Y-%m}" for month in period_of[each.month])
            part = span_in_words(start, end), Behind(each.digit, start, end)
        parts[part].append((each, hits))
    sample = sample_of_common(right, told)
    return Side(
        name=name,
        title=name,
        sample=sample,
        parts=[
            Bar(title, sample_of_common(some, told), behind)
            for (title, behind), some in sorted(parts.items(), key=lambda part: part[0][1].label)
        ],
        sampled_from=(
            f"{sampled_from(sample, is_random=True)} Both versions read them again, and neither"
            " learned from them."
        ),
    )


def sample_of_common(right: Sequence[tuple[CommonCount, int]], told: Audits) -> Sample:
    return sample_of_audits(((each.month, each.chance, each.n, hits) for each, hits in right), told)


def pairs_by_chance(counts: Sequence[CommonCount]) -> dict[tuple[date, int], Pairs]:
    """By month and chance, how often the second was right and the first wrong, and the reverse."""
    found: defaultdict[tuple[date, int], list[Pairs]] = defaultdict(list)
    for each in counts:
        found[each.month, each.chance].append(each.pairs)
    return {place: sum_of_pairs(some) for place, some in found.items()}
