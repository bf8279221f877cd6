"""Statistics of two versions that read the same items.

The checks of the gate draw conclusions from them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
NORMAL = NormalDist()
BINS = 15  # of confidence, equally wide


class Kind(StrEnum):
    """What a set of items is."""

    HOLDOUT = "holdout"  # drawings by people whose drawings are never trained on
    AUDIT = "audit"  # one month's drawings chosen at random
    BASE = "base"  # MNIST's test set


@dataclass(frozen=True, slots=True)
class Items:
    """One set of items as both versions read it."""

    name: str
    kind: Kind
    labels: NDArray[np.int64]  # (N,) the labels, 0 to 9
    candidate: NDArray[np.float32]  # (N, 10) probabilities
    live: NDArray[np.float32]  # (N, 10)

    def __post_init__(self) -> None:
        shape = (len(self.labels), 10)
        if self.candidate.shape != shape or self.live.shape != shape:
            raise ValueError(f"{self.name}: readings of {self.candidate.shape} for {shape[0]}.")

    def __len__(self) -> int:
        return len(self.labels)


def joined(sets: Sequence[Items], name: str, kind: Kind) -> Items:
    return Items(
        name,
        kind,
        np.concatenate([np.zeros(0, np.int64), *(items.labels for items in sets)]),
        np.concatenate([np.zeros((0, 10), np.float32), *(items.candidate for items in sets)]),
        np.concatenate([np.zeros((0, 10), np.float32), *(items.live for items in sets)]),
    )


# -- pairs --------------------------------------------------------------------------------------


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


# -- everything counted on one set --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything counted on one set of items."""

    name: str
    overall: Pairs
    by_digit: tuple[Pairs, ...]  # ten
    before: Counts  # (10, 10), rows the label, columns what the live version read
    after: Counts  # (10, 10), the same for the candidate
    new_errors: Counts  # (10, 10), errors of the candidate alone
    old_errors: Counts  # (10, 10), errors of the live version alone
    calibration: tuple[float, float]  # expected calibration error before and after

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            **self.overall.as_json(),
            "right_before": int(np.trace(self.before)),
            "right_after": int(np.trace(self.after)),
            "by_digit": [
                {**pairs.as_json(), "right_before": int(before), "right_after": int(after)}
                for pairs, before, after in zip(
                    self.by_digit, np.diag(self.before), np.diag(self.after), strict=True
                )
            ],
            "confusion_before": self.before.tolist(),
            "confusion_after": self.after.tolist(),
            "calibration_before": self.calibration[0],
            "calibration_after": self.calibration[1],
        }


def compare(items: Items) -> Comparison:
    labels, after, before = items.labels, items.candidate.argmax(1), items.live.argmax(1)
    better = (after == labels) & (before != labels)
    worse = (after != labels) & (before == labels)
    differ = after != before
    counts = np.stack(  # (10, 3)
        [np.bincount(of, minlength=10) for of in (labels[better], labels[worse], labels)], axis=1
    )
    return Comparison(
        items.name,
        Pairs(int(better.sum()), int(worse.sum()), len(items)),
        tuple(Pairs(*row) for row in counts.tolist()),
        confusion(labels, before),
        confusion(labels, after),
        confusion(labels[differ], after[differ]),
        confusion(labels[differ], before[differ]),
        (
            calibration_error(items.live, labels),
            calibration_error(items.candidate, labels),
        ),
    )


def confusion(labels: NDArray[np.int64], read: NDArray[np.int64]) -> Counts:
    return np.bincount(labels * 10 + read, minlength=100).reshape(10, 10)


def calibration_error(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    weights: NDArray[np.int64] | None = None,
) -> float:
    """The mean difference of confidence and accuracy over bins of confidence."""
    if not len(labels):
        return 0.0
    confidence = probabilities.max(1)
    gap = confidence - (probabilities.argmax(1) == labels)
    which = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    if weights is not None:
        gap = gap * weights
    return float(np.abs(np.bincount(which, gap, BINS)).sum()) / len(labels)


# -- many tests ---------------------------------------------------------------------------------


def holm(values: Sequence[float]) -> list[float]:
    """p-values with Holm's correction for the number of tests."""
    order = sorted(range(len(values)), key=lambda at: values[at])
    adjusted = [1.0] * len(values)
    highest = 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, values[at] * (len(values) - rank)))
        adjusted[at] = highest
    return adjusted
