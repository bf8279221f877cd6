"""The difference of two shares with its interval. Pure.

This is Newcombe's interval, made of two Wilson intervals. Unlike the usual one it has the stated
coverage for shares near 1 and for few labels. Two shares may differ by more than chance although
their intervals overlap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from dashboard.figures.figure import Share


@dataclass(frozen=True, slots=True)
class Difference:
    """The second share minus the first, with an interval of the same level as the shares'."""

    value: float
    low: float
    high: float

    @property
    def is_more_than_chance(self) -> bool:
        return self.low > 0 or self.high < 0

    @property
    def in_words(self) -> str:
        if self.is_more_than_chance:
            return "more than chance"
        return "not more than chance could make it"


def difference(before: Share, after: Share) -> Difference:
    """The difference of shares from two independent samples."""
    value = after.value - before.value
    down = math.hypot(after.value - after.low, before.high - before.value)
    up = math.hypot(after.high - after.value, before.value - before.low)
    return Difference(value, value - down, value + up)
