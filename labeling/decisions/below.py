"""Whether one labeler is clearly below the others: a test that can be repeated every day.

The hypothesis is that the labeler is within tolerance: where the others answer a share q wrong,
they answer at most `tolerated(q)` wrong. The evidence against it is an e-value. It starts at 1, and
while the hypothesis holds, its expectation stays at most 1 whenever one looks. So it ever reaches
1/a with a probability of at most a (Ville's inequality), and looking often costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.01  # chance that somebody within tolerance is ever named, all labelers together
FACTOR, POINTS = 2.0, 0.02  # tolerated: twice the others' share, and two points more in any case
LEAST_WRONG = 5  # fewer wrong answers name nobody
LEAST_PEOPLE = 2  # to compare with: one person's word against another's names nobody

# Possible shares of the others, as the edges of intervals. The hypothesis is tested on each.
EDGES = np.concatenate([[0.0], np.geomspace(0.002, 1.0, 60)])
# Alternatives, mixed in equal parts. The labeler's share lies this part of the way up to 1; the
# others' share is this part of the edge.
UP = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8])
DOWN = np.array([1.0, 0.75, 0.5, 0.3, 0.15, 0.05])

MonthlyCounts = NDArray[
    np.int64
]  # (months, 2): how many answers were wrong, and how many there were


@dataclass(frozen=True, slots=True)
class Evidence:
    """How strongly the answers speak against a labeler, and since which month most of all."""

    log: float  # of the e-value
    since: int

    def names(self, labelers: int) -> bool:
        """Whether it is enough to name one of this many labelers."""
        return self.log >= log(labelers / LEVEL)

    @property
    def is_void(self) -> bool:
        """Whether no answer so far suggests that the labeler is below the others."""
        return self.log <= 0


def tolerated(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest share of wrong answers that is not clearly worse than this share."""
    return np.minimum(np.maximum(FACTOR * share, share + POINTS), 1.0)


def evidence_against(kinds: Sequence[tuple[MonthlyCounts, MonthlyCounts]]) -> Evidence:
    """Compare a labeler with the others, by month from the labeler's first one on.

    Each kind of answers is compared by itself: (the labeler's, the others'). The e-values of all
    kinds, and of all months since which the labeler may have been worse, are averaged; the m-th
    month weighs 1/(m(m+1)). An average of e-values is an e-value.
    """
    months = len(kinds[0][0])
    since = np.arange(1, months + 1)
    found = [evidence_by_row(from_each(own), from_each(others)) for own, others in kinds]
    by_month = log_average(np.array(found).T) - np.log(since * (since + 1.0))
    return Evidence(float(np.logaddexp.reduce(by_month)), int(by_month.argmax()))


def from_each(counts: MonthlyCounts) -> MonthlyCounts:
    """Add up the months from each one to the last."""
    return counts[::-1].cumsum(axis=0)[::-1]


def evidence_by_row(own: MonthlyCounts, others: MonthlyCounts) -> NDArray[np.float64]:
    """The logarithm of the e-value of each row of counts.

    For one interval of shares it is the product of two likelihood ratios: that the labeler's share
    is above the most that is tolerated at the upper edge, and the others' is below the lower edge.
    The hypothesis says nothing about which interval it is, so the smallest product counts.
    """
    most = tolerated(EDGES[1:])
    products = log_above(own, most) + log_below(others, EDGES[:-1])
    return products.min(axis=1)


def log_above(counts: MonthlyCounts, most: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evidence (rows, shares) that the share of wrong answers is above each of these."""
    wrong, n = counts[:, :1, np.newaxis], counts[:, 1:, np.newaxis]
    share = most[:, np.newaxis] + (1 - most[:, np.newaxis]) * UP
    return log_average(wrong * np.log(share / most[:, np.newaxis]) + (n - wrong) * np.log1p(-UP))


def log_below(counts: MonthlyCounts, least: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evidence (rows, shares) that the share of wrong answers is below each of these."""
    wrong, n = counts[:, :1, np.newaxis], counts[:, 1:, np.newaxis]
    share = least[:, np.newaxis] * DOWN
    right = np.log1p(-share) - np.log1p(-least[:, np.newaxis])
    return log_average(wrong * np.log(DOWN) + (n - wrong) * right)


def log_average(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logarithm of the mean along the last axis, of numbers given by their logarithms."""
    mean: NDArray[np.float64] = np.logaddexp.reduce(logs, axis=-1) - log(logs.shape[-1])
    return mean
