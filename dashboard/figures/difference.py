"""Is one share really higher than another? Pure.

Newcombe's interval, made of the two Wilson intervals: unlike the usual one it covers what it claims
for shares near 1 and for few labels. That two intervals overlap says nothing: their difference may
still be more than chance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from dashboard.figures.figure import Share


@dataclass(frozen=True, slots=True)
class Difference:
    """How much higher the second share is, with an interval as sure as those of the shares."""

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
    """From one share to the other, of two samples that have no drawing in common."""
    value = after.value - before.value
    down = math.hypot(after.value - after.low, before.high - before.value)
    up = math.hypot(after.high - after.value, before.value - before.low)
    return Difference(value, value - down, value + up)
