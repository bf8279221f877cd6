"""Whom a figure speaks for: how many people drew it, and how much wider a claim about others is.

An interval of a month is about the drawings of that month, whoever made them. A claim about the
model is about other people's drawings too. There drawings by one person count less than as many by
several, because they are read alike. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dashboard.cube.authors import Authors

SHARES = ((0.95, "nearly all"), (0.7, "three quarters"), (0.6, "two thirds"), (0.45, "half"),
          (0.3, "a third"), (0.225, "a quarter"), (0.18, "a fifth"))  # fmt: skip
FOR_THESE = "An interval is about the drawings of its time, whoever made them."


@dataclass(frozen=True, slots=True)
class People:
    """How many drew a sample, and the largest share that one of them drew."""

    count: int
    largest: float

    @property
    def in_words(self) -> str:
        """For example "by 9 people, one of whom drew half"."""
        if self.count == 1:
            return "by one person"
        said = f"by {self.count:,} people"
        least_told = 0.6 if self.count == 2 else 0.0  # half of two people's is no news
        shares = (words for least, words in SHARES if self.largest >= max(least, least_told))
        share = next(shares, "")
        return f"{said}, one of whom drew {share}" if share else said


def people_of(authors: Authors) -> People | None:
    """The people behind these drawings; None without drawings."""
    if not len(authors.rows):
        return None
    _, at = np.unique(authors.rows["author"], return_inverse=True)
    drawn = np.bincount(at, authors.rows["n"])
    return People(len(drawn), float(drawn.max() / drawn.sum()))


class OneSide(NamedTuple):
    """A sample in a claim: its authors, and by chance what a label stands for and its deviation."""

    authors: Authors
    weights: Mapping[int, float]
    deviations: Mapping[int, float]
    sign: int = 1


def widening(sides: Sequence[OneSide], alike: float) -> float:
    """The factor by which the variance of a claim grows, if it is to hold for other people.

    It is the design effect. What one person adds to both sides of a difference cancels.
    """
    people, parts, variance = [], [], 0.0
    for side in sides:
        rows = side.authors.rows
        weights = by_chance(rows["chance"], side.weights)
        spread = weights * by_chance(rows["chance"], side.deviations)
        total = float((weights * rows["n"]).sum())
        if not total:
            continue
        people.append(rows["author"])
        parts.append(side.sign * spread * rows["n"] / total)
        variance += float((spread**2 * rows["n"]).sum()) / total**2
    if not variance:
        return 1.0
    _, at = np.unique(np.concatenate(people), return_inverse=True)
    shared = float((np.bincount(at, np.concatenate(parts)) ** 2).sum())
    return max(1.0, 1 + alike * (shared / variance - 1))


def by_chance(chances: NDArray[np.uint32], values: Mapping[int, float]) -> NDArray[np.float64]:
    """The value of each row's chance; 0 where it has none."""
    kinds, at = np.unique(chances, return_inverse=True)
    found: NDArray[np.float64] = np.array([values.get(int(each), 0.0) for each in kinds])[at]
    return found
