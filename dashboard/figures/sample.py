"""A share of drawings estimated from labeled ones, and the words for what it rests on. Pure.

Where drawings of one sample had different chances of being audited, a label stands for as many
drawings as its chance says: strata are weighted by the drawings they were drawn from (their audited
drawings over their chance), and the interval is Wilson's for the effective number of labels, after
Kish: the square of the sum of the weights over the sum of their squares.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dashboard.axes import DIGITS, LABELS, UNLABELED, UNREADABLE
from dashboard.fields import Counts
from dashboard.figures.figure import Share
from predictions.shares import Z95


class Part(NamedTuple):
    """Counts of drawings, as a figure asks for them."""

    drawings: int
    labeled: int  # unreadable ones too
    n: int  # labeled with a digit, among those asked for
    right: int
    unreadable: int
    unsettled: int


def parts(counts: Counts, digit: int | None = None) -> list[Part]:
    """What each of N tables (N, label, [drawings, right, settled]) adds to a sample."""
    drawings, right, settled = np.moveaxis(counts, 2, 0)
    wanted = slice(0, UNREADABLE) if digit is None else slice(digit, digit + 1)
    columns = (
        drawings.sum(axis=1),
        drawings[:, :UNLABELED].sum(axis=1),
        drawings[:, wanted].sum(axis=1),
        right[:, wanted].sum(axis=1),
        drawings[:, UNREADABLE],
        (drawings - settled)[:, wanted].sum(axis=1),
    )
    return [Part._make(row) for row in np.stack(columns, axis=1).tolist()]


@dataclass(slots=True)
class Stratum:
    """Drawings that had one chance of being audited."""

    drawings: int = 0
    labeled: int = 0  # unreadable ones too
    n: int = 0  # labeled with a digit, among those asked for
    right: int = 0


class Sample:
    """Counts of one figure's point or bar."""

    def __init__(self) -> None:
        self.strata: defaultdict[int, Stratum] = defaultdict(Stratum)
        self.unreadable = self.unsettled = 0

    def add(self, chance: int, part: Part) -> None:
        """Take in drawings with one chance."""
        stratum = self.strata[chance]
        stratum.drawings += part.drawings
        stratum.labeled += part.labeled
        stratum.n += part.n
        stratum.right += part.right
        self.unreadable += part.unreadable
        self.unsettled += part.unsettled

    @property
    def n(self) -> int:
        return sum(stratum.n for stratum in self.strata.values())

    @property
    def right(self) -> int:
        return sum(stratum.right for stratum in self.strata.values())

    @property
    def unlabeled(self) -> int:
        return sum(stratum.drawings - stratum.labeled for stratum in self.strata.values())

    @property
    def share(self) -> Share | None:
        return self.share_within(Z95)

    def share_within(self, z: float) -> Share | None:
        """Weighted where chances differ; None without a readable label."""
        told = {chance: stratum for chance, stratum in self.strata.items() if stratum.n}
        if not told:
            return None
        if len(told) == 1 or 0 in told:  # nothing to weight, or nothing known to weight by
            return Share.of(self.right, self.n, z)
        weights = {
            chance: stratum.drawings / chance / stratum.labeled for chance, stratum in told.items()
        }
        total = sum(weights[chance] * stratum.n for chance, stratum in told.items())
        right = sum(weights[chance] * stratum.right for chance, stratum in told.items())
        squares = sum(weights[chance] ** 2 * stratum.n for chance, stratum in told.items())
        effective = total**2 / squares
        return Share.of(min(right / total, 1.0) * effective, effective, z)

    @property
    def is_weighted(self) -> bool:
        told = [chance for chance, stratum in self.strata.items() if stratum.n]
        return len(told) > 1 and 0 not in told


def by_label(readings: Counts) -> Counts:
    """(N, predicted, label, settled) as (N, label, [drawings, right, settled])."""
    counts = np.zeros((len(readings), LABELS, 3), np.int64)
    counts[:, :, 0] = readings.sum(axis=(1, 3))
    counts[:, :DIGITS, 1] = readings.sum(axis=3)[:, :, :DIGITS].diagonal(axis1=1, axis2=2)
    counts[:, :, 2] = readings[:, :, :, 1].sum(axis=1)
    return counts


def together(samples: Iterable[Sample]) -> Sample:
    """Several samples as one."""
    joined = Sample()
    for sample in samples:
        joined.unreadable += sample.unreadable
        joined.unsettled += sample.unsettled
        for chance, stratum in sample.strata.items():
            into = joined.strata[chance]
            into.drawings += stratum.drawings
            into.labeled += stratum.labeled
            into.n += stratum.n
            into.right += stratum.right
    return joined


def sampled_from(sample: Sample, *, is_random: bool) -> str:
    """What a figure rests on, in words."""
    chosen = "drawings chosen at random, labeled blind" if is_random else "labeled drawings"
    said = [f"From {sample.n:,} {chosen}"]
    if sample.unreadable:
        said.append(f"{sample.unreadable:,} more were unreadable and are left out")
    if sample.unsettled:
        said.append(f"{sample.unsettled:,} wait for another opinion and count as they stand")
    if is_random and sample.unlabeled:
        said.append(f"{sample.unlabeled:,} are not labeled yet")
    if is_random and sample.is_weighted:
        said.append("weighted, because the share of drawings audited was changed meanwhile")
    return "; ".join(said) + "."
