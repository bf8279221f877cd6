"""The axes of the cube: what each drawing is counted by. Pure; no database."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Final

DIGITS: Final = 10
# What the label says: a digit, or one of these.
UNREADABLE: Final = 10
UNLABELED: Final = 11
LABELS: Final = 12
DAYS: Final = 31  # of a month, whether it has them all or not

# Edges of the confidence bins. Most confidences are near 1, so bins are narrower there. Every
# tenth is an edge, so that bins can be merged into tenths.
EDGES: Final = (
    0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98,
    0.99, 0.995, 0.999, 1.0,
)  # fmt: skip
BINS: Final = len(EDGES) - 1
MILLION: Final = 1_000_000  # sums use whole millionths: exact, whatever the order of addition

NO_STREAM: Final = ""  # not labeled yet, or corrected outside the queue


def bin_of(confidence: float) -> int:
    """The index of a confidence's bin. An edge belongs to the bin above it, 1 to the last bin."""
    return min(bisect_right(EDGES, confidence), BINS) - 1


def millionths(share: float) -> int:
    """Round as FLOOR(share * 1000000 + 0.5) does in SQL, on both databases."""
    return math.floor(share * MILLION + 0.5)
