"""Whether two accuracies differ by more than chance, and the words for it. Pure; no database.

Two months are two samples: Newcombe's interval, made of the two Wilson intervals. Two versions read
the same drawings: only those that they read differently tell them apart (Tango's interval, the
gate's).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import chi2_contingency

from dashboard.figure import ENOUGH, Share
from training.gate import Pairs

LEVEL = 0.05
LEAST_EXPECTED = 1.0  # of a table's counts; below it the test of several shares means nothing


@dataclass(frozen=True, slots=True)
class Difference:
    """Of two shares, the second less the first, with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def is_real(self) -> bool:
        """More than chance: no difference at all lies outside the interval."""
        return self.low > 0 or self.high < 0


def of_samples(first: Share, second: Share) -> Difference:
    """Two samples of different drawings (Newcombe 1998, method 10)."""
    value = second.value - first.value
    down = math.hypot(second.value - second.low, first.high - first.value)
    up = math.hypot(second.high - second.value, first.value - first.low)
    return Difference(value, value - down, value + up)


def of_pairs(pairs: Pairs) -> Difference:
    """Two readings of the same drawings; a difference of nothing at all is not known exactly."""
    return Difference(pairs.difference, pairs.lower(0.975), pairs.upper(0.975))


@dataclass(frozen=True, slots=True)
class Part:
    """One bar of a span: a digit, a week or a month."""

    name: str
    right: int
    n: int

    @property
    def is_enough(self) -> bool:
        return self.n >= ENOUGH

    @property
    def share(self) -> Share:
        return Share.of(self.right, self.n)


@dataclass(frozen=True, slots=True)
class Span:
    """From the part read worst to the part read best, of those with enough labels."""

    lowest: Part
    highest: Part
    p: float | None  # that parts equally hard would differ as much; None where none can be told

    @property
    def width(self) -> float:
        return self.highest.share.value - self.lowest.share.value

    @property
    def is_real(self) -> bool:
        return self.p is not None and self.p < LEVEL


def span_of(parts: Sequence[Part]) -> Span | None:
    """None with fewer than two parts that have enough labels."""
    told = [part for part in parts if part.is_enough]
    if len(told) < 2:
        return None
    by_share = sorted(told, key=lambda part: part.share.value)
    return Span(by_share[0], by_share[-1], p_equal(told))


def p_equal(parts: Sequence[Part]) -> float | None:
    """That so uneven shares come of equal ones (chi-square); the lowest of ten is always low."""
    wrong = [part.n - part.right for part in parts]
    if not any(wrong) or not any(part.right for part in parts):
        return None
    table = [[part.right for part in parts], wrong]
    found = chi2_contingency(table, correction=False)
    if found.expected_freq.min() < LEAST_EXPECTED:
        return None
    return float(found.pvalue)
