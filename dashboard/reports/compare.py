"""Two months or two versions compared: the difference in accuracy, where accuracy is lowest and
highest, and whether that is more than chance.

Months are two samples of different drawings. Versions are compared on the drawings that both have
read in the replay and neither learned from: the shares and the difference are of these.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from dashboard.axes import DIGITS
from dashboard.cube.authors import Authors
from dashboard.cube.sums import audit_counts, authors_by_month, authors_of, every_month, months
from dashboard.figures.chance import LEVEL, p_equal
from dashboard.figures.difference import ShareDifference, between_pairs, sum_of_pairs
from dashboard.figures.difference import between as difference_between
from dashboard.figures.figure import ENOUGH, Share
from dashboard.figures.periods import Period, periods_of
from dashboard.figures.replay import filtered_rows
from dashboard.figures.sample import Audits, Sample, sample_of_audits, sampled_from
from dashboard.figures.sample import parts as counted_parts
from dashboard.figures.sentences import of_enough, which_drawings
from dashboard.figures.words import about, as_hundred, in_points, percent_in_words, span_in_words
from dashboard.filters import Filters
from dashboard.models import ReplayPair
from labeling.models import Stream
from predictions.months import after
from training.trials.pairs import Pairs

POWER, SURE = 0.84, 1.96  # standard deviations for 80 % power at 95 %
MOST_NEEDED = 1_000_000
MOST_BARS = 12  # of each version, side by side
WEEKS = ((1, 7), (8, 14), (15, 21), (22, 28), (29, 31))


class Behind(NamedTuple):
    """Which drawings a bar stands for, by the names that their page gives to its filters."""

    label: int
    first: str | None = None  # months
    last: str | None = None
    since: str | None = None  # days
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a span: a digit, a week or a period of months."""

    name: str
    sample: Sample
    behind: Behind

    @property
    def n(self) -> int:
        return self.sample.n

    @property
    def is_enough(self) -> bool:
        return self.n >= ENOUGH

    @property
    def share(self) -> Share | None:
        return self.sample.share

    @property
    def accuracy(self) -> float:
        """Of a part with labels."""
        share = self.share
        assert share is not None
        return share.value


@dataclass(frozen=True, slots=True)
class Extremes:
    """The parts with the lowest and the highest accuracy, of those with enough labels."""

    lowest: Bar
    highest: Bar
    p: float | None  # p-value of the test that all parts are equally hard; None if not valid

    @property
    def width(self) -> float:
        return self.highest.accuracy - self.lowest.accuracy

    @property
    def in_words(self) -> str:
        """The span in words, and whether it is more than chance."""
        low, high = self.lowest, self.highest
        said = (
            f"from {percent_in_words(low.accuracy)} ({low.name}, n = {low.n:,})"
            f" to {percent_in_words(high.accuracy)} ({high.name}, n = {high.n:,}):"
            f" {as_hundred(self.width)} points"
        )
        if self.p is None:
            return f"{said}; too few mistakes to tell whether that is more than chance"
        if self.p < LEVEL:
            return f"{said}, more than chance"
        return f"{said}, no more than chance makes of parts equally hard"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two months or versions."""

    name: str
    title: str
    sample: Sample
    parts: list[Bar]
    sampled_from: str

    @property
    def n(self) -> int:
        return self.sample.n

    @property
    def share(self) -> Share | None:
        return self.sample.share

    @property
    def span(self) -> Extremes | None:
        """The span, or None if fewer than two parts have enough labels."""
        told = [part for part in self.parts if part.is_enough]
        if len(told) < 2:
            return None
        by_share = sorted(told, key=lambda part: part.accuracy)
        return Extremes(by_share[0], by_share[-1], p_equal([part.sample for part in told]))

    @property
    def is_enough(self) -> bool:
        return self.n >= ENOUGH


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides and their difference: the second minus the first; None with too few labels."""

    first: Side
    second: Side
    difference: ShareDifference | None
    what: str  # which drawings, in words
    parts_are: str  # what a part is, in words
    pairs: Pairs | None = None  # for versions: counts on the same drawings
    unseen_pairs: Pairs | None = None  # the same, by people whom neither learned from
    unseen: ShareDifference | None = None
    is_counted: bool = True  # False while the replay counts the drawings again

    @property
    def in_words(self) -> str:
        if self.difference is None:
            return self.why_not
        return f"{self.shares_in_words} {self.difference_in_words}"

    @property
    def why_not(self) -> str:
        """Why the two are not compared."""
        sides = [self.first, self.second]
        if self.first.name == self.second.name:
            return f"Both sides are {self.first.title}."
        if not self.is_counted:
            return "The replay is counting these drawings again; look here in a few minutes."
        if self.pairs is not None:
            return (
                f"Too few labeled drawings were read by both to compare: {of_enough(self.pairs.n)}."
            )
        few = [f"{side.title} has {of_enough(side.n)}" for side in sides if not side.is_enough]
        return f"There are too few labels to compare: {' and '.join(few)}."

    @property
    def shares_in_words(self) -> str:
        one, other = self.first, self.second
        assert one.share is not None
        assert other.share is not None
        before, after = as_hundred(one.share.value), as_hundred(other.share.value)
        if self.pairs is None:
            return (
                f"Of 100 {self.what}, {before} were read right in {one.title} (n = {one.n:,}) and"
                f" {after} in {other.title} (n = {other.n:,})."
            )
        return (
            f"On the same {self.pairs.n:,} {self.what}, {one.title} reads {before} of 100 right and"
            f" {other.title} {after}."
        )

    @property
    def difference_in_words(self) -> str:
        found = self.difference
        assert found is not None
        said = (
            f"The difference is {in_points(found.value)} points, with 95 % confidence between"
            f" {in_points(found.low)} and {in_points(found.high)}"
        )
        if found.is_more_than_chance:
            return f"{said}: more than chance."
        more = f" {self.needed_in_words}" if self.needed else ""
        return f"{said}: chance alone could make it.{more}"

    @property
    def unseen_in_words(self) -> str:
        """The difference on drawings by people of whom neither version learned; for versions."""
        if self.pairs is None or self.unseen_pairs is None or not self.pairs.n:
            return ""
        if self.unseen is None:
            return "All of these drawings are by people from whom one of the versions learned."
        n, be = self.unseen_pairs.n, "is" if self.unseen_pairs.n == 1 else "are"
        part = (
            f"{n:,} of the {self.pairs.n:,} drawings {be} by people from whom neither version"
            " learned"
        )
        if n < ENOUGH:
            return f"{part}: {ENOUGH} are needed to tell."
        found = self.unseen
        return (
            f"{part}: on these, the difference is {in_points(found.value)} points (95 %:"
            f" {in_points(found.low)} to {in_points(found.high)})."
        )

    @property
    def needed(self) -> int | None:
        """Labels for each side to detect a difference of this size with 80 % power."""
        one, other = self.first.share, self.second.share
        if self.pairs is not None or not (one and other) or one.value == other.value:
            return None
        spread = sum(
            share.value * (1 - share.value) * side.n / side.sample.worth
            for share, side in ((one, self.first), (other, self.second))
        )
        needed = math.ceil((POWER + SURE) ** 2 * spread / (one.value - other.value) ** 2)
        return needed if needed <= MOST_NEEDED else None

    @property
    def needed_in_words(self) -> str:
        assert self.needed is not None
        return f"About {about(self.needed)} labels a month would tell a difference of this size."


# -- months -------------------------------------------------------------------------------------


def of_months(first: date, second: date, digit: int | None) -> Comparison:
    """Accuracy on audited drawings, as the version live at the time read them. Two queries."""
    between = Filters(first=min(first, second), last=max(first, second))
    sums: defaultdict[date, list[tuple[int, Any]]] = defaultdict(list)
    for each in months(between, "days", stream=Stream.AUDIT):
        sums[each.month].append((each.chance, each["days"]))
    authors = authors_by_month(between)
    one, other = (
        side_of_month(month, sums[month], digit, authors.get(month)) for month in (first, second)
    )
    return Comparison(
        one,
        other,
        between_samples(one, other),
        which_drawings(Filters(digit=digit)),
        parts_are="by digit" if digit is None else f"by week, for the digit {digit} alone",
    )


def between_samples(first: Side, second: Side) -> ShareDifference | None:
    if first.name == second.name or not (first.is_enough and second.is_enough):
        return None
    return difference_between(first.sample, second.sample)


def side_of_month(
    month: date, counts: list[tuple[int, Any]], digit: int | None, authors: Authors | None
) -> Side:
    """`counts` are (chance, array of (day, label, [drawings, right, settled]))."""
    parts = bars_of_month(month, counts, digit) if counts else []
    sample = sample_of_days(counts, slice(None), digit)
    if authors is not None:
        sample.authors = authors.of_digit(digit)
        for part in parts if digit is None else ():
            part.sample.authors = authors.of_digit(part.behind.label)
    return Side(
        name=f"{month:%Y-%m}",
        title=f"{month:%B %Y}",
        sample=sample,
        parts=parts,
        sampled_from=sampled_from(sample, is_random=True),
    )


def bars_of_month(month: date, counts: list[tuple[int, Any]], digit: int | None) -> list[Bar]:
    """One for each digit; of one digit, one for each week."""
    name = f"{month:%Y-%m}"
    if digit is None:
        return [
            Bar(str(each), sample_of_days(counts, slice(None), each), Behind(each, name, name))
            for each in range(DIGITS)
        ]
    last = (after(month) - month).days
    weeks = [(start, min(end, last)) for start, end in WEEKS if start <= last]
    return [
        Bar(
            f"{start}–{end}",
            sample_of_days(counts, slice(start - 1, end), digit),
            Behind(digit, name, name, f"{name}-{start:02}", f"{name}-{end:02}"),
        )
        for start, end in weeks
    ]


def sample_of_days(counts: list[tuple[int, Any]], days: slice, digit: int | None) -> Sample:
    sample = Sample()
    for chance, by_day in counts:
        (added,) = counted_parts(by_day[days].sum(axis=0, keepdims=True), digit)
        sample.add(chance, added)
    return sample


# -- versions -----------------------------------------------------------------------------------


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
