"""Which drawings are audited, and with which probability.

Most errors are among the readings that the version was least sure of, so a label says more there.
Each drawing falls into a band by its confidence, compared with the last drawings read here, and a
band has one probability. No band has none, so errors of an overconfident version are found too.
Ranks are compared, not confidences: a version that is surer of everything is audited as often.

A figure needs only the stored probability, see `dashboard/figures/sample.py`. The bands are chosen
in docs/decisions/2026-11-30-audits-by-confidence.md.
"""

from __future__ import annotations

import hmac
import threading
import uuid
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from django.conf import settings

# Share of the drawings, the least sure first, and probability as a multiple of the audit rate.
BANDS = ((0.05, 4.5), (0.10, 1.8), (0.85, 0.7))
# Upper edges of all bands but the last until FEWEST drawings are known: the shipped model's on
# digits drawn with a pen.
FIRST_EDGES = (0.984, 0.9987)
FEWEST, MOST = 40, 1_000  # drawings that are compared with
EVERY = 100  # drawings after which the edges are computed again


class Ranks:
    """The confidences of the last drawings that this process read; at first, of those `before`."""

    def __init__(self, before: Callable[[int], Iterable[float]]) -> None:
        self._before = before  # called with the most that are of use
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        self._last: deque[float] | None = None
        self._edges: tuple[float, ...] = FIRST_EDGES
        self._new = 0

    def band_of(self, confidence: float) -> int:
        """The band of this reading, 0 for the least sure; it counts for those that follow."""
        with self._lock:
            if self._last is None:
                self._last = deque(self._before(MOST), MOST)
                self._edges = edges_of(self._last)
            band = bisect_right(self._edges, confidence)
            self._last.append(confidence)
            self._new += 1
            if self._new % EVERY == 0 or len(self._last) == FEWEST:
                self._edges = edges_of(self._last)
        return band


def edges_of(confidences: Sequence[float]) -> tuple[float, ...]:
    """The confidence at which each band but the last ends."""
    if len(confidences) < FEWEST:
        return FIRST_EDGES
    ordered, below, edges = sorted(confidences), 0.0, []
    for share, _ in BANDS[:-1]:
        below += share
        edges.append(ordered[round(below * len(ordered))])
    return tuple(edges)


@lru_cache(maxsize=8)
def band_probabilities(rate: float) -> tuple[float, ...]:
    """The probability of each band. Together they audit this share of all drawings.

    Where a band would need more than 1, the bands after it get the rest.
    """
    found = list[float]()
    left, weight = rate, sum(share * times for share, times in BANDS)
    for share, times in BANDS:
        found.append(round(min(1.0, times * left / weight), 6))  # the cube counts by millionths
        left -= share * found[-1]
        weight -= share * times
    return tuple(found)


def is_drawn(public_id: uuid.UUID, probability: float) -> bool:
    """Decide by the secret key and the random id, so that nobody can predict or influence it."""
    digest = hmac.digest(settings.SECRET_KEY.encode(), b"audit" + public_id.bytes, "sha256")
    return int.from_bytes(digest[:8], "big") < probability * 2**64
