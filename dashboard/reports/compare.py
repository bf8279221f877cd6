"""Two months or two versions compared: the difference in accuracy, where accuracy is lowest and
highest, and whether that is more than chance.

Months are two samples of different drawings. Versions read the same drawings (the replay), so only
drawings that they read differently count for the difference.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Sum

from dashboard.axes import DIGITS, after
from dashboard.cube.sums import audit_counts, months
from dashboard.figures.difference import Difference, between_pairs, difference, sum_of_pairs
from dashboard.figures.figure import ENOUGH, Share
from dashboard.figures.replay import (
    NOTHING_READ,
    ReplayCount,
    counts_by,
    filtered_rows,
    replayed,
)
from dashboard.figures.sample import Audits, Sample, sampled_from, together
from dashboard.figures.sample import parts as counted_parts
from dashboard.filters import Filters
from dashboard.models import ReplayPair
from labeling.models import Stream
from training.trials.pairs import Pairs

LEVEL = 0.05  # of the test whether the parts of a span differ
LEAST_EXPECTED = 1.0  # expected count in a cell of that test's table; with less it is not valid
SLACK = 1e-9  # for rounding
POWER, SURE = 0.84, 1.96  # standard deviations for 80 % power at 95 %
MOST_NEEDED = 1_000_000
WEEKS = ((1, 7), (8, 14), (15, 21), (22, 28), (29, 31))


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a span: a digit, a week or a month."""

    name: str
    sample: Sample

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
            f"from {low.accuracy:.1%} ({low.name}, n = {low.n:,})"
            f" to {high.accuracy:.1%} ({high.name}, n = {high.n:,}):"
            f" {100 * self.width:.1f} points"
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
        return Extremes(by_share[0], by_share[-1], p_equal(told))

    @property
    def is_enough(self) -> bool:
        return self.n >= ENOUGH


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides and their difference: the second minus the first."""

    first: Side
    second: Side
    difference: Difference | None
    parts_are: str  # what a part is, in words
    pairs: Pairs | None = None  # for versions: counts on the same drawings

    @property
    def in_words(self) -> str:
        if self.difference is None:
            return (
                f"There are no labels for {self.first.title} and {self.second.title} that could be"
                " compared."
            )
        return f"{self.shares_in_words} {self.difference_in_words}"

    @property
    def shares_in_words(self) -> str:
        one, other = self.first, self.second
        assert one.share is not None
        assert other.share is not None
        return (
            f"Of 100 drawings, {100 * one.share.value:.1f} are read right in {one.title}"
            f" and {100 * other.share.value:.1f} in {other.title}."
            if self.pairs is None
            else f"Of 100 drawings, {one.title} reads {100 * one.share.value:.1f} right and"
            f" {other.title} {100 * other.share.value:.1f}."
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
        return f"About {self.needed:,} labels a month would tell a difference of this size."


def in_points(share: float) -> str:
    """A difference in percentage points, with its sign and one decimal."""
    number = f"{100 * share:+.1f}"
    return "0.0" if number in {"+0.0", "-0.0"} else number.replace("-", "−")


def p_equal(parts: Sequence[Bar]) -> float | None:
    """The p-value that all parts have the same share; None if not valid.

    This is the chi-square test, with what the labels are worth in place of their number.
    """
    whole = together(part.sample for part in parts)
    worth = [part.n * whole.worth / whole.n for part in parts]
    n = sum(worth)
    share = sum(part.accuracy * each for part, each in zip(parts, worth, strict=True)) / n
    if min(worth) * min(share, 1 - share) < LEAST_EXPECTED * (1 - SLACK):
        return None
    spread = share * (1 - share)
    found = sum(
        each * (part.accuracy - share) ** 2 / spread
        for part, each in zip(parts, worth, strict=True)
    )
    return chi_square_tail(found, len(parts) - 1)


def chi_square_tail(value: float, freedom: int) -> float:
    """The probability of at least this value: a finite sum, since `freedom` is an integer."""
    half = value / 2
    at, total = (0.5, math.erfc(math.sqrt(half))) if freedom % 2 else (0.0, 0.0)
    term = half**at * math.exp(-half) / math.gamma(at + 1)
    while at < freedom / 2:
        total += term
        at += 1
        term *= half / at
    return total


# -- months -------------------------------------------------------------------------------------


def of_months(first: date, second: date, digit: int | None) -> Comparison:
    """Accuracy on audited drawings, as the version live at the time read them. One query."""
    between = Filters(first=min(first, second), last=max(first, second))
    sums: defaultdict[date, list[tuple[int, Any]]] = defaultdict(list)
    for each in months(between, "days", stream=Stream.AUDIT):
        sums[each.month].append((each.chance, each["days"]))
    one, other = (side_of_month(month, sums[month], digit) for month in (first, second))
    return Comparison(
        one,
        other,
        between_samples(one, other),
        parts_are="by digit" if digit is None else f"by week, for the digit {digit} alone",
    )


def between_samples(first: Side, second: Side) -> Difference | None:
    if first.share is None or second.share is None:
        return None
    return difference(first.share, second.share)


def side_of_month(month: date, counts: list[tuple[int, Any]], digit: int | None) -> Side:
    """`counts` are (chance, array of (day, label, [drawings, right, settled]))."""
    if counts and digit is None:
        parts = [
            Bar(str(each), sample_of_days(counts, slice(None), each)) for each in range(DIGITS)
        ]
    elif counts:
        last = (after(month) - month).days
        parts = [
            Bar(f"{start}–{min(end, last)}", sample_of_days(counts, slice(start - 1, end), digit))
            for start, end in WEEKS
            if start <= last
        ]
    else:
        parts = []
    sample = sample_of_days(counts, slice(None), digit)
    return Side(
        name=f"{month:%Y-%m}",
        title=f"{month:%B %Y}",
        sample=sample,
        parts=parts,
        sampled_from=sampled_from(sample, is_random=True),
    )


def sample_of_days(counts: list[tuple[int, Any]], days: slice, digit: int | None) -> Sample:
    sample = Sample()
    for chance, by_day in counts:
        (added,) = counted_parts(by_day[days].sum(axis=0, keepdims=True), digit)
        sample.add(chance, added)
    return sample


# -- versions -----------------------------------------------------------------------------------


def of_versions(first: str, second: str, filters: Filters) -> Comparison:
    """Two versions on the same audited drawings of the period. Three queries."""
    told = audit_counts(filters)
    one, other = sides_of_versions([first, second], filters, told)
    pairs = paired_counts(first, second, filters)
    parts_are = "by digit" if filters.digit is None else f"by month, for the digit {filters.digit}"
    found = between_pairs(pairs, told) if pairs and one.n and other.n else None
    return Comparison(one, other, found, parts_are, sum_of_pairs(pairs.values()))


def sides_of_versions(names: Sequence[str], filters: Filters, told: Audits) -> list[Side]:
    """The sides in the order of the names. One query; `told` are the audits of the period."""
    cells = replayed(filters, names)
    return [
        side_of_version(name, [cell for cell in cells if cell.name == name], told, filters.digit)
        for name in names
    ]


def side_of_version(name: str, cells: list[ReplayCount], told: Audits, digit: int | None) -> Side:
    whole = counts_by(lambda _: name, cells, told).get(name, NOTHING_READ)
    parts = counts_by(
        lambda cell: f"{cell.month:%B %Y}" if digit is not None else str(cell.digit), cells, told
    )
    left_out = f"; {whole.learned:,} that it learned from are left out" if whole.learned else ""
    weighted = "; weighted, because they had different chances of being chosen"
    return Side(
        name=name,
        title=name,
        sample=whole.sample,
        parts=[
            Bar(part, found.sample)
            for part, found in (sorted(parts.items()) if digit is None else parts.items())
        ],
        sampled_from=(
            f"From {whole.sample.n:,} drawings chosen at random, labeled blind, and read again"
            f"{left_out}{weighted if whole.sample.is_weighted else ''}."
        ),
    )


def paired_counts(first: str, second: str, filters: Filters) -> dict[tuple[date, int], Pairs]:
    """By month and chance, how often the second was right and the first wrong, and the reverse."""
    rows = ReplayPair.objects.filter(
        first__name__in=[first, second], second__name__in=[first, second]
    )
    found = filtered_rows(rows, filters).values_list("first__name", "month", "chance")
    counts = found.annotate(Sum("better"), Sum("worse"), Sum("n")).order_by("month", "chance")
    return {
        (month, chance): Pairs(up, down, n) if older == first else Pairs(down, up, n)
        for older, month, chance, up, down, n in counts
        if n
    }
