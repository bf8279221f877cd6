"""A share of drawings estimated from labeled ones, and a description of the sample. Pure.

Drawings of one sample may have had different chances of being audited. Each chance is a stratum. A
label stands for as many drawings as the stratum has for each label: its audited drawings divided by
the chance and by those that are labeled. This assumes that the labeled audits of a stratum are a
random part of them. Shares of a stratum have Clopper and Pearson's interval.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple, Self

import numpy as np

from dashboard.axes import DIGITS, LABELS, MILLION, UNLABELED, UNREADABLE
from dashboard.cube.authors import Authors
from dashboard.fields import Counts
from dashboard.figures.audits import Missing
from dashboard.figures.figure import Share, share_cells
from dashboard.figures.people import FOR_THESE, OneSide, People, people_of, widening
from dashboard.figures.strata import Term, mean
from predictions.shares import Z95, exact
from training.trials.sentences import number_of

NOTHING_MISSING = Missing()
Interval = tuple[float, float, float]  # a value and its interval
# By month and chance: drawings chosen for the audit, and those labeled.
Audits = Mapping[tuple[date, int], tuple[int, int]]


class Part(NamedTuple):
    """Counts that are added to a sample."""

    drawings: int
    labeled: int  # includes unreadable ones
    n: int  # labeled with a digit that the filters allow
    right: int
    unreadable: int = 0
    unsettled: int = 0


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

    chance: int  # in millionths; 0 is unknown
    drawings: int = 0  # audited
    labeled: int = 0  # includes unreadable ones
    n: int = 0  # labeled with a digit that the filters allow
    right: int = 0

    @property
    def is_known(self) -> bool:
        """Whether it says anything, or is known to be missing."""
        return bool(self.n or (self.chance and self.drawings))

    @property
    def size(self) -> float:
        """The drawings it stands for, audited or not: an estimate."""
        return self.drawings * MILLION / self.chance if self.chance else 0.0

    @property
    def weight(self) -> float:
        """The drawings that each of its labels stands for."""
        return self.size / self.labeled if self.labeled else 0.0

    @property
    def doubt(self) -> float:
        """Variance of the number of drawings that the filters allow, divided by its square."""
        of_size = (1 - self.chance / MILLION) / self.drawings
        return of_size + max(0.0, 1 / self.n - 1 / self.labeled)


class Sample:
    """The counts behind one point or bar of a figure."""

    def __init__(self) -> None:
        self.strata: dict[int, Stratum] = {}
        self.unreadable = self.unsettled = 0
        self.authors: Authors | None = None  # who drew the n, where that is known

    @classmethod
    def of(cls, right: int, n: int) -> Self:
        """A simple random sample."""
        made = cls()
        made.add(0, Part(n, n, n, right))
        return made

    def add(self, chance: int, part: Part) -> None:
        """Add drawings with the same chance of being audited."""
        stratum = self.strata.setdefault(chance, Stratum(chance))
        stratum.drawings += part.drawings
        stratum.labeled += part.labeled
        stratum.n += part.n
        stratum.right += part.right
        self.unreadable += part.unreadable
        self.unsettled += part.unsettled

    def merge(self, other: Sample, *, times: int = 1) -> None:
        """Add another sample; with times=-1 take it out again."""
        self.unreadable += times * other.unreadable
        self.unsettled += times * other.unsettled
        for chance, each in other.strata.items():
            counts = (each.drawings, each.labeled, each.n, each.right)
            self.add(chance, Part(*(times * count for count in counts)))

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
    def is_weighted(self) -> bool:
        """Whether its drawings had different chances, all of them known."""
        known = [chance for chance, stratum in self.strata.items() if stratum.is_known]
        return len(known) > 1 and 0 not in known

    def weight_of(self, chance: int) -> float:
        """The drawings that a label of this stratum stands for; 1 if all count alike."""
        return self.strata[chance].weight if self.is_weighted else 1.0

    @property
    def share(self) -> Share | None:
        return self.share_within(Z95)

    @property
    def people(self) -> People | None:
        """Who drew it; None if that is not known."""
        return people_of(self.authors) if self.authors else None

    def share_within(self, z: float, wider: float = 1.0) -> Share | None:
        """The share with an interval of z deviations; None if n = 0.

        With `wider`, as from so many times fewer labels: see `people.widening`.
        """
        if not self.n:
            return None
        if not self.is_weighted:
            return Share.of(self.right / wider, self.n / wider, z)
        found = {
            stratum.chance: (
                stratum.right / stratum.n, *exact(stratum.right / wider, stratum.n / wider, z)
            )
            for stratum in self.strata.values()
            if stratum.n
        }  # fmt: skip
        return Share(*self.mean(found, z, 0.0, 1.0, wider))

    def share_of_others(self) -> Share | None:
        """The share as a claim about the model: its interval is about other people's drawings."""
        wider = widening([side], side.authors.alike) if (side := self.side()) else 1.0
        return self.share_within(Z95, wider)

    def side(self, sign: int = 1) -> OneSide | None:
        """What `people.widening` needs; None if nobody knows who drew it."""
        if self.authors is None:
            return None
        spread = {
            chance: math.sqrt(share * (1 - share))
            for chance, stratum in self.strata.items()
            if stratum.n
            for share in [(stratum.right + 0.5) / (stratum.n + 1)]
        }
        return OneSide(self.authors, self.weights, spread, sign)

    @property
    def weights(self) -> dict[int, float]:
        return {chance: self.weight_of(chance) for chance in self.strata}

    def mean(
        self,
        found: Mapping[int, Interval],
        z: float,
        least: float,
        most: float,
        wider: float = 1.0,
    ) -> Interval:
        """The weighted mean of what was found by chance.

        Drawings of which nothing was found may all have the least or the most value.
        """
        terms = [
            Term(stratum.weight * stratum.n, wider * stratum.doubt, *found[chance])
            for chance, stratum in self.strata.items()
            if chance in found
        ]
        value, low, high = mean(terms, z)
        told = sum(term.drawings for term in terms)
        allowed = told / sum(each.size for each in self.strata.values() if each.labeled)
        # A stratum without labels is taken for like the others; where other digits are labeled
        # alone, half a label might be of this one.
        missing = sum(
            stratum.weight / 2 if stratum.labeled else allowed * stratum.size
            for chance, stratum in self.strata.items()
            if stratum.is_known and chance not in found
        )
        known = told / (told + missing)
        return (
            min(max(value, least), most),
            known * max(low, least) + (1 - known) * least,
            known * min(high, most) + (1 - known) * most,
        )

    @property
    def worth(self) -> float:
        """The labels of a simple random sample that would give an interval as narrow."""
        share = self.share
        if share is None or not self.is_weighted:
            return float(self.n)
        low, high = exact(share.value * self.n, self.n)
        return self.n * ((high - low) / (share.high - share.low)) ** 2


def accuracy_cells(sample: Sample) -> list[Any]:
    """The cells for `share_columns`."""
    return share_cells(sample.right, sample.n, of=sample.share)


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
        joined.merge(sample)
        if sample.authors:
            joined.authors = joined.authors + sample.authors if joined.authors else sample.authors
    return joined


def sample_of_audits(counts: Iterable[tuple[date, int, int, int]], audits: Audits) -> Sample:
    """The sample of (month, chance, n, right); the audits say what a label stands for."""
    found: defaultdict[tuple[date, int], list[int]] = defaultdict(lambda: [0, 0])
    for month, chance, n, right in counts:
        found[month, chance][0] += n
        found[month, chance][1] += right
    sample, months = Sample(), {month for month, _ in found}
    for (month, chance), (drawings, labeled) in audits.items():
        if month in months:
            sample.add(chance, Part(drawings, labeled, *found.pop((month, chance), (0, 0))))
    for (_, chance), (n, right) in found.items():  # the cube has not counted them yet
        sample.add(chance, Part(n, n, n, right))
    return sample


def sampled_from(sample: Sample, *, is_random: bool, missing: Missing = NOTHING_MISSING) -> str:
    """A sentence that describes the sample."""
    people = sample.people
    if is_random:
        by = f", {people.in_words}" if people else ""
        said = [f"From {number_of(sample.n, 'drawing')} chosen at random, labeled blind{by}"]
    else:
        said = [f"From {number_of(sample.n, 'labeled drawing')}"]
    if n := sample.unreadable:
        said.append(f"{n:,} more {'was' if n == 1 else 'were'} unreadable and left out")
    if n := sample.unsettled:
        waits = (
            "waits for another opinion and counts"
            if n == 1
            else "wait for another opinion and count"
        )
        said.append(f"{n:,} {waits} as labeled so far")
    if is_random:
        said += missing.in_words(sample.unlabeled)
    if is_random and sample.is_weighted:
        said.append("weighted, because they had different chances of being chosen")
    about = f" {FOR_THESE}" if people else ""
    return f"{'; '.join(said)}.{about}"
