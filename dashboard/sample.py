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

import numpy as np

from dashboard.axes import DIGITS, LABELS, UNLABELED, UNREADABLE
from dashboard.fields import Counts
from dashboard.figure import Share


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

    def add(self, chance: int, by_label: Counts, digit: int | None = None) -> None:
        """Take in counts (label, [drawings, right, settled]) of drawings with one chance."""
        drawings, right, settled = by_label.T
        wanted = slice(0, UNREADABLE) if digit is None else slice(digit, digit + 1)
        stratum = self.strata[chance]
        stratum.drawings += int(drawings.sum())
        stratum.labeled += int(drawings[:UNLABELED].sum())
        stratum.n += int(drawings[wanted].sum())
        stratum.right += int(right[wanted].sum())
        self.unreadable += int(drawings[UNREADABLE])
        self.unsettled += int((drawings - settled)[wanted].sum())

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
        """Weighted where chances differ; None without a readable label."""
        told = {chance: stratum for chance, stratum in self.strata.items() if stratum.n}
        if not told:
            return None
        if len(told) == 1 or 0 in told:  # nothing to weight, or nothing known to weight by
            return Share.of(self.right, self.n)
        weights = {
            chance: stratum.drawings / chance / stratum.labeled for chance, stratum in told.items()
        }
        total = sum(weights[chance] * stratum.n for chance, stratum in told.items())
        right = sum(weights[chance] * stratum.right for chance, stratum in told.items())
        squares = sum(weights[chance] ** 2 * stratum.n for chance, stratum in told.items())
        effective = total**2 / squares
        return Share.of(min(right / total, 1.0) * effective, effective)

    @property
    def is_weighted(self) -> bool:
        told = [chance for chance, stratum in self.strata.items() if stratum.n]
        return len(told) > 1 and 0 not in told


def by_label(readings: Counts) -> Counts:
    """(predicted, label, settled) as (label, [drawings, right, settled])."""
    counts = np.zeros((LABELS, 3), np.int64)
    counts[:, 0] = readings.sum(axis=(0, 2))
    counts[:DIGITS, 1] = readings.sum(axis=2)[:, :DIGITS].diagonal()
    counts[:, 2] = readings[:, :, 1].sum(axis=0)
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
