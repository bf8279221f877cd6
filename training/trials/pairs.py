"""Statistics of two versions, or two periods, on the same items: pairs, and Holm's correction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Pairs:
    """How often the candidate was right where the live version was wrong, and the reverse."""

    better: int
    worse: int
    n: int

    @property
    def difference(self) -> float:
        """Of the accuracies; above 0 the candidate is more often right."""
        return (self.better - self.worse) / self.n if self.n else 0.0

    @property
    def p(self) -> float:
        """The p-value of McNemar's exact test, two-sided."""
        return min(1.0, 2 * tail(max(self.better, self.worse), self.better + self.worse))

    @property
    def p_better(self) -> float:
        """The one-sided p-value: small if the candidate is better."""
        return tail(self.better, self.better + self.worse)

    @property
    def p_worse(self) -> float:
        return tail(self.worse, self.better + self.worse)

    def lower(self, confidence: float) -> float:
        """A lower bound of the true difference at this one-sided confidence (Tango's score)."""
        return score_limit(self, NORMAL.inv_cdf(confidence))

    def upper(self, confidence: float) -> float:
        return -Pairs(self.worse, self.better, self.n).lower(confidence)

    def in_words(self, what: str) -> str:
        return f"{self.better} better, {self.worse} worse of {self.n:,} {what}".rstrip()

    def as_json(self) -> dict[str, Any]:
        return {
            "n": self.n,
            "better": self.better,
            "worse": self.worse,
            "difference": self.difference,
            "interval": [self.lower(0.975), self.upper(0.975)],
            "p": self.p,
            "p_better": self.p_better,
            "p_worse": self.p_worse,
        }


def tail(hits: int, tosses: int) -> float:
    """The chance of at least so many heads in so many tosses of a fair coin."""
    if hits <= 0:
        return 1.0
    if 2 * hits <= tosses:
        return 1.0 - tail(tosses - hits + 1, tosses)
    total, term = (
        0.0,
        math.comb(tosses, hits) / 2**tosses,
    )  # divides whole numbers: correctly rounded
    while total + term > total:
        total += term
        term *= (tosses - hits) / (hits + 1)
        hits += 1
    return total


def score(pairs: Pairs, difference: float) -> float:
    """How many standard errors the pairs lie above a supposed true difference (Tango 1998)."""
    b, c, n = pairs.better, pairs.worse, pairs.n
    middle = (2 * n - b + c) * difference - b - c
    spread = math.sqrt(max(middle**2 + 8 * n * c * difference * (1 - difference), 0.0))
    share = (spread - middle) / (4 * n)  # most likely share of worse pairs
    variance = n * (2 * share + difference * (1 - difference))
    above = b - c - n * difference
    if variance <= 0:
        return math.copysign(math.inf, above) if above else 0.0
    return above / math.sqrt(variance)


def score_limit(pairs: Pairs, deviations: float) -> float:
    """The true difference at which the score reaches the limit, by bisection to 1e-7."""
    if not pairs.n:
        return -1.0
    low, high = -1.0, pairs.difference
    while high - low > 1e-7:
        middle = (low + high) / 2
        low, high = (middle, high) if score(pairs, middle) > deviations else (low, middle)
    return low


def holm(values: Sequence[float]) -> list[float]:
    """p-values with Holm's correction for the number of tests."""
    order = sorted(range(len(values)), key=lambda at: values[at])
    adjusted = [1.0] * len(values)
    highest = 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, values[at] * (len(values) - rank)))
        adjusted[at] = highest
    return adjusted
