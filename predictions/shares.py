"""The confidence interval of a share."""

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
