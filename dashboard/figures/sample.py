"""A share of drawings estimated from labeled ones, and a description of the sample. Pure.

Drawings of one sample may have had different chances of being audited. Each chance is a stratum,
weighted by the number of drawings it represents: its audited drawings divided by the chance. The
interval is Wilson's for Kish's effective number of labels: the square of the sum of the weights
divided by the sum of their squares.
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
    """Counts that are added to a sample."""

    drawings: int
    labeled: int  # includes unreadable ones
    n: int  # labeled with a digit that the filters allow
    right: int
    unreadable: int
    unsettled: int


def parts(counts: Counts, digit: int | None = None) -> list[Part]:
    """One Part for each of N tables; `counts` is (N, label, [drawings, right, settled])."""
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
    """Drawings with the same chance of being audited."""

    drawings: int = 0
    labeled: int = 0  # includes unreadable ones
    n: int = 0  # labeled with a digit that the filters allow
    right: int = 0


class Sample:
    """The counts behind one point or bar of a figure."""

    def __init__(self) -> None:
        self.strata: defaultdict[int, Stratum] = defaultdict(Stratum)
        self.unreadable = self.unsettled = 0

    def add(self, chance: int, part: Part) -> None:
        """Add drawings with the same chance of being audited."""
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
        """The share with an interval of z deviations; weighted if chances differ; None if n = 0."""
        told = {chance: stratum for chance, stratum in self.strata.items() if stratum.n}
        if not told:
            return None
        if len(told) == 1 or 0 in told:  # no weights needed, or a chance is unknown
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
    """Turn (N, predicted, label, settled) into (N, label, [drawings, right, settled])."""
    counts = np.zeros((len(readings), LABELS, 3), np.int64)
    counts[:, :, 0] = readings.sum(axis=(1, 3))
    counts[:, :DIGITS, 1] = readings.sum(axis=3)[:, :, :DIGITS].diagonal(axis1=1, axis2=2)
    counts[:, :, 2] = readings[:, :, :, 1].sum(axis=1)
    return counts


def together(samples: Iterable[Sample]) -> Sample:
    """Merge samples into one."""
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
    """A sentence that describes the sample."""
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
