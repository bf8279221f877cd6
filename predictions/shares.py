"""Confidence intervals of a share."""

from __future__ import annotations

import math
from statistics import NormalDist

Z95 = 1.959964  # standard deviations that hold 95% of a normal distribution


def wilson(right: float, n: float) -> tuple[float, float]:
    """Wilson's interval of a share at 95%; valid also near 0 and 1 and for small n."""
    p, z2 = right / n, Z95**2
    middle = p + z2 / (2 * n)
    reach = Z95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n**2))
    whole = 1 + z2 / n
    low, high = (middle - reach) / whole, (middle + reach) / whole
    return min(p, max(0.0, low)), max(p, min(1.0, high))  # rounding must not lose p


def exact(right: float, n: float, z: float = Z95) -> tuple[float, float]:
    """Clopper and Pearson's interval: it never covers less than stated, however few the labels.

    Its ends are quantiles of beta distributions, here Paulson's (1942), which need no root finding;
    at 95% they are within 3 % of the exact distance.
    """
    wrong = n - right
    low = beta_quantile(right, wrong + 1, -z) if right > 0 else 0.0
    high = beta_quantile(right + 1, wrong, z) if wrong > 0 else 1.0
    return low, high


def beta_quantile(a: float, b: float, z: float) -> float:
    """The quantile of Beta(a, b) at the level that z has in the standard normal distribution.

    Weighted labels can make a or b less than 1. Then this returns 0 or 1, the widest limit.
    """
    if a < 1 or b < 1:
        return 0.0 if z < 0 else 1.0
    if a == 1 or b == 1:  # known exactly, where Paulson's are worst
        level = NormalDist().cdf(z)
        return level ** (1 / a) if b == 1 else 1 - (1 - level) ** (1 / b)
    of_a, of_b = 1 / (9 * a), 1 / (9 * b)  # variances of the cube roots of both gammas
    up, down = 1 - of_a, 1 - of_b
    whole = down**2 - z**2 * of_b
    spread = math.sqrt(max(0.0, (up * down) ** 2 - whole * (up**2 - z**2 * of_a)))
    ratio = a * ((up * down + math.copysign(spread, z)) / whole) ** 3
    return ratio / (ratio + b)
