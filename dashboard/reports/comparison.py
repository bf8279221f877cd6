"""Two months or versions compared, in words: the difference in accuracy, where accuracy is lowest
and highest, and whether that is more than chance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from dashboard.figures.chance import LEVEL, p_equal
from dashboard.figures.difference import ShareDifference
from dashboard.figures.figure import ENOUGH, Share
from dashboard.figures.sample import Sample
from dashboard.figures.sentences import of_enough
from dashboard.figures.words import (
    about,
    as_hundred,
    end_in_points,
    in_points,
    of_n,
    percent_in_words,
)
from training.trials.pairs import Pairs

POWER, SURE = 0.84, 1.96  # standard deviations for 80 % power at 95%
MOST_NEEDED = 1_000_000


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
    def title(self) -> str:
        is_digit = self.name == str(self.behind.label)
        return f"digit {self.name}" if is_digit else self.name

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
            f"from {percent_in_words(low.accuracy)} ({low.title}, {of_n(low.n)})"
            f" to {percent_in_words(high.accuracy)} ({high.title}, {of_n(high.n)}):"
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
                f"Of 100 {self.what}, {before} were read right in {one.title} ({of_n(one.n)}) and"
                f" {after} in {other.title} ({of_n(other.n)})."
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
            f"The difference is {in_points(found.value)} points, 95% sure between"
            f" {end_in_points(found.low)} and {end_in_points(found.high)}"
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
            f"{part}: on these, the difference is {in_points(found.value)} points (95%:"
            f" {end_in_points(found.low)} to {end_in_points(found.high)})."
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
