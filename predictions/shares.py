"""Confidence intervals of a share."""

from __future__ import annotations

import math

Z95 = 1.959964  # standard deviations that hold 95 % of a normal distribution


def wilson(right: float, n: float, z: float = Z95) -> tuple[float, float]:
    """Wilson's interval of a share, 95 % by default; valid also near 0 and 1 and for small n."""
    p, z2 = right / n, z**2
    middle = p + z2 / (2 * n)
    reach = z * math.sqrt(p * (1 - p) / n + z2 / (4 * n**2))
    whole = 1 + z2 / n
    low, high = (middle - reach) / whole, (middle + reach) / whole
    return min(p, max(0.0, low)), max(p, min(1.0, high))  # rounding must not lose p


def jeffreys(right: float, n: float, z: float = Z95) -> tuple[float, float]:
    """Jeffreys' interval: quantiles of a beta distribution; 0 or 1 where all were wrong or right.

    In sums of several shares it covers better than Wilson's. The quantiles are Paulson's (1942),
    which need no root finding; at 95 % they are within 3 % of the exact distance.
    """
    low = beta_quantile(right + 0.5, n - right + 0.5, -z) if right else 0.0
    high = beta_quantile(right + 0.5, n - right + 0.5, z) if right < n else 1.0
    return low, high


def beta_quantile(a: float, b: float, z: float) -> float:
    """The quantile of Beta(a, b) that is z deviations up a normal distribution."""
    of_a, of_b = 1 / (9 * a), 1 / (9 * b)  # variances of the cube roots of both gammas
    up, down = 1 - of_a, 1 - of_b
    whole = down**2 - z**2 * of_b
    spread = math.sqrt(max(0.0, (up * down) ** 2 - whole * (up**2 - z**2 * of_a)))
    ratio = a * ((up * down + math.copysign(spread, z)) / whole) ** 3
    return ratio / (ratio + b)
