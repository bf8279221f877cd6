"""Whether several shares differ by more than chance. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from dashboard.figures.sample import Sample, together

LEVEL: Final = 0.05  # of the test
LEAST_EXPECTED = 1.0  # expected count in a cell of the test's table; with less it is not valid
SLACK = 1e-9  # for rounding


def p_equal(samples: Sequence[Sample]) -> float | None:
    """The p-value that all samples, each with labels, have the same share; None if not valid.

    This is the chi-square test, with what the labels are worth in place of their number.
    """
    whole = together(samples)
    worth = [sample.n * whole.worth / whole.n for sample in samples]
    shares = [share.value for sample in samples if (share := sample.share)]
    mean = sum(each * size for each, size in zip(shares, worth, strict=True)) / sum(worth)
    if min(worth) * min(mean, 1 - mean) < LEAST_EXPECTED * (1 - SLACK):
        return None
    spread = mean * (1 - mean)
    found = sum(
        size * (each - mean) ** 2 / spread for each, size in zip(shares, worth, strict=True)
    )
    return chi_square_tail(found, len(samples) - 1)


def chi_square_tail(value: float, freedom: int) -> float:
    """The probability of at least this value: a finite sum, since `freedom` is an integer."""
    if value == 0:
        return 1.0
    half, odd = value / 2, freedom % 2
    terms = (
        at * math.log(half) - half - math.lgamma(at + 1)
        for at in (step + odd / 2 for step in range(freedom // 2))
    )
    return odd * math.erfc(math.sqrt(half)) + sum(map(math.exp, terms))
