"""A weighted mean of shares from several strata, with its interval. Pure.

The interval is put together from those of the strata (MOVER, Zou and Donner 2008), so it is wide
where a stratum has few labels, and not where many labels have small weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Term(NamedTuple):
    """One stratum: an estimate with its interval, and the drawings it stands for."""

    drawings: float  # estimated
    doubt: float  # variance of that number, divided by its square
    value: float
    low: float
    high: float


def mean(terms: Sequence[Term], z: float) -> tuple[float, float, float]:
    """The mean weighted by drawings, and both ends of its interval of z deviations."""
    total = sum(term.drawings for term in terms)
    value = sum(term.drawings * term.value for term in terms) / total
    down = up = 0.0
    for term in terms:
        share = (term.drawings / total) ** 2
        weights = (z * (term.value - value)) ** 2 * term.doubt
        down += share * ((term.value - term.low) ** 2 + weights)
        up += share * ((term.high - term.value) ** 2 + weights)
    return value, value - math.sqrt(down), value + math.sqrt(up)
