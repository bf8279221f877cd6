"""Two months or two versions compared: the difference in accuracy, where accuracy is lowest and
highest, and whether that is more than chance.

Months are two samples of different drawings. Versions read the same drawings (the replay), so only
drawings that they read differently count for the difference.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Sum

from dashboard.axes import DIGITS, after
from dashboard.cube.sums import months
from dashboard.figures.difference import Difference, difference
from dashboard.figures.figure import ENOUGH, Share
from dashboard.figures.replay import FIELDS, Count
from dashboard.figures.sample import Sample, sampled_from
from dashboard.figures.sample import parts as counted_parts
from dashboard.filters import Filters
from dashboard.models import ReplayCell, ReplayPair
from labeling.models import Stream
from training.trials.pairs import Pairs

LEVEL = 0.05  # of the test whether the parts of a span differ
LEAST_EXPECTED = 1.0  # expected count in a cell of that test's table; with less it is not valid
POWER, SURE = 0.84, 1.96  # standard deviations for 80 % power at 95 %
MOST_NEEDED = 1_000_000
WEEKS = ((1, 7), (8, 14), (15, 21), (22, 28), (29, 31))


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a span: a digit, a week or a month."""

    name: str
    right: int
    n: int

    @property
    def is_enough(self) -> bool:
        return self.n >= ENOUGH

    @property
    def share(self) -> Share | None:
        return Share.of(self.right, self.n) if self.n else None


@dataclass(frozen=True, slots=True)
class Extremes:
    """The parts with the lowest and the highest accuracy, of those with enough labels."""

    lowest: Bar
    highest: Bar
    p: float | None  # p-value of the test that all parts are equally hard; None if not valid

    @property
    def width(self) -> float:
        return self.highest.right / self.highest.n - self.lowest.right / self.lowest.n

    @property
    def in_words(self) -> str:
        """The span in words, and whether it is more than chance."""
        low, high = self.lowest, self.highest
        said = (
            f"from {low.right / low.n:.1%} ({low.name}, n = {low.n:,})"
            f" to {high.right / high.n:.1%} ({high.name}, n = {high.n:,}):"
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
    right: int
    n: int
    share: Share | None
    parts: list[Bar]
    sampled_from: str

    @property
    def span(self) -> Extremes | None:
        """The span, or None if fewer than two parts have enough labels."""
        told = [part for part in self.parts if part.is_enough]
        if len(told) < 2:
            return None
        by_share = sorted(told, key=lambda part: part.right / part.n)
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
        spread = one.value * (1 - one.value) + other.value * (1 - other.value)
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
    """The p-value that all parts have the same share (chi-square); None if not valid."""
    right, n = sum(part.right for part in parts), sum(part.n for part in parts)
    if min(part.n for part in parts) * min(right, n - right) < LEAST_EXPECTED * n:
        return None
    share = right / n
    spread = share * (1 - share)
    found = sum((part.right - part.n * share) ** 2 / (part.n * spread) for part in parts)
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
    sample = Sample()
    for chance, days in counts:
        (added,) = counted_parts(days.sum(axis=0, keepdims=True), digit)
        sample.add(chance, added)
    total = sum(days for _, days in counts)
    parts: list[Bar] = []
    if counts and digit is None:
        by_label = total.sum(axis=0)
        parts = [Bar(str(each), *right_and_n(by_label[each])) for each in range(DIGITS)]
    elif counts:
        last = (after(month) - month).days
        parts = [
            Bar(f"{start}–{min(end, last)}", *right_and_n(total[start - 1 : end, digit].sum(0)))
            for start, end in WEEKS
            if start <= last
        ]
    return Side(
        name=f"{month:%Y-%m}",
        title=f"{month:%B %Y}",
        right=sample.right,
        n=sample.n,
        share=sample.share,
        parts=parts,
        sampled_from=sampled_from(sample, is_random=True),
    )


def right_and_n(counts: Any) -> tuple[int, int]:
    drawings, right, _ = (int(number) for number in counts)
    return right, drawings


# -- versions -----------------------------------------------------------------------------------


def of_versions(first: str, second: str, filters: Filters) -> Comparison:
    """Two versions on the same audited drawings of the period. Two queries."""
    one, other = sides_of_versions([first, second], filters)
    pairs = paired_counts(first, second, filters)
    found = (
        Difference(pairs.difference, pairs.lower(0.975), pairs.upper(0.975)) if pairs.n else None
    )
    parts_are = "by digit" if filters.digit is None else f"by month, for the digit {filters.digit}"
    return Comparison(one, other, found if one.n and other.n else None, parts_are, pairs)


def sides_of_versions(names: Sequence[str], filters: Filters) -> list[Side]:
    """The sides in the order of the names. One query."""
    cells = filtered_rows(ReplayCell.objects.filter(version__name__in=names), filters)
    values = cells.values_list("version__name", "month", "digit", *FIELDS)
    rows = [(name, month, digit, counts) for name, month, digit, *counts in values]
    return [
        side_of_version(name, [row[1:] for row in rows if row[0] == name], filters.digit)
        for name in names
    ]


def filtered_rows(rows: Any, filters: Filters) -> Any:
    if filters.first:
        rows = rows.filter(month__gte=filters.first)
    if filters.last:
        rows = rows.filter(month__lte=filters.last)
    return rows if filters.digit is None else rows.filter(digit=filters.digit)


def side_of_version(
    name: str, rows: Iterable[tuple[date, int, list[Any]]], digit: int | None
) -> Side:
    over_all = Count()
    parts: defaultdict[str, Count] = defaultdict(Count)
    for month, label, values in sorted(rows, key=lambda row: row[:2]):
        over_all.add(values)
        parts[str(label) if digit is None else f"{month:%B %Y}"].add(values)
    left_out = f"; {over_all.learned:,} that it learned from are left out"
    return Side(
        name=name,
        title=name,
        right=over_all.right,
        n=over_all.n,
        share=over_all.share,
        parts=[
            Bar(part, found.right, found.n) for part, found in sorted_parts(parts, digit is None)
        ],
        sampled_from=(
            f"From {over_all.n:,} drawings chosen at random, labeled blind, and read again"
            f"{left_out if over_all.learned else ''}."
        ),
    )


def sorted_parts(parts: dict[str, Count], are_digits: bool) -> list[tuple[str, Count]]:
    """The parts in order: months are sorted already, digits are not."""
    return sorted(parts.items()) if are_digits else list(parts.items())


def paired_counts(first: str, second: str, filters: Filters) -> Pairs:
    """How often the second was right and the first wrong, and the reverse."""
    rows = ReplayPair.objects.filter(
        first__name__in=[first, second], second__name__in=[first, second]
    )
    found = (
        filtered_rows(rows, filters)
        .values("first__name")
        .annotate(all=Sum("n"), up=Sum("better"), down=Sum("worse"))
        .order_by("first__name")
        .first()
    )
    if found is None:
        return Pairs(0, 0, 0)
    if found["first__name"] == first:
        return Pairs(found["up"], found["down"], found["all"])
    return Pairs(found["down"], found["up"], found["all"])
