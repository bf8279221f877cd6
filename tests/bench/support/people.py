"""Histories of people who draw: some more than others, some read worse than others.

A person's drawings are misread so many times as often as the average person's: gamma distributed
with mean 1. How often the intervals hold what their sentences claim is told by the code of the
figures: of the month's drawings, of the model (drawings by people in general), of the difference of
two months by other or by the same people, and of two versions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dashboard.axes import millionths
from dashboard.cube.authors import AUTHOR, Authors
from dashboard.fields import Counts
from dashboard.figures.difference import ShareDifference, between, between_pairs, difference
from dashboard.figures.likeness import correlation, sums_of_squares
from dashboard.figures.sample import Part, Sample
from predictions.capture.audits import BANDS, band_probabilities
from training.trials.pairs import Pairs

Floats = NDArray[np.float64]
RATE = 0.05
BAND_SHARES = np.array([share for share, _ in BANDS])
CHANCES = [millionths(each) for each in band_probabilities(RATE)]
NOVEMBER = date(2026, 11, 1)
AS_DRAWINGS: Final = ", as drawings"  # a claim whose interval is not widened
MONTHS = 6  # of history before a claim, by other people each
MENDED, BROKEN = 0.5, 0.15  # of the first version's errors; of as many drawings it read right

CROWDS: dict[str, Any] = {
    "26 people": lambda dice: np.ones(26),
    "26, one drew half": lambda dice: np.array([25.0, *np.ones(25)]),
    "5 people": lambda dice: np.ones(5),
    "100, a long tail": lambda dice: dice.lognormal(0, 1.5, 100),
}
# Squared coefficient of variation of people's errors. 0: all are read alike.
SPREADS = (0.0, 0.5, 2.0)


class Drawn(NamedTuple):
    """One month's audits by band and person, and what another version made of them."""

    people: Counts
    n: Counts
    wrong: Counts
    mended: Counts
    broken: Counts
    truth: float  # of all drawings of the month

    def by_author(self) -> tuple[NDArray[np.uint64], Counts]:
        """The author and the chance of each audit."""
        bands, people = self.n.shape
        each = self.n.ravel()
        authors = np.repeat(np.tile(self.people, bands), each).astype(np.uint64)
        return authors, np.repeat(np.repeat(CHANCES, people), each)

    def squares(self) -> Floats:
        """What the replay's worker adds up for the correlation of readings."""
        return sums_of_squares(1 - self.marked((self.wrong, 1.0)), *self.by_author())

    def squares_of_pairs(self) -> Floats:
        gained = self.marked((self.mended, 1.0), (self.broken, -1.0))
        return sums_of_squares(gained, *self.by_author())

    def marked(self, *kinds: tuple[Counts, float]) -> Floats:
        """A value for each audit: so many of each band and person have it, the others 0."""
        each = self.n.ravel()
        values = np.zeros(each.sum())
        starts = np.cumsum(each) - each
        for counts, value in kinds:
            ends = starts + counts.ravel()
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
                values[start:end] = value
            starts = ends
        return values

    def authors(self, alike: float) -> Authors:
        bands, people = self.n.shape
        rows = np.zeros(bands * people, AUTHOR)
        rows["author"] = np.tile(self.people, bands)
        rows["chance"] = np.repeat(CHANCES, people)
        rows["n"] = self.n.ravel()
        return Authors(rows[rows["n"] > 0], alike, alike)

    def sample(self, alike: float) -> Sample:
        sample = Sample()
        counts = np.stack([self.n.sum(axis=1), self.wrong.sum(axis=1)], axis=1).tolist()
        for chance, (n, wrong) in zip(CHANCES, counts, strict=True):
            sample.add(chance, Part(n, n, n, n - wrong))
        sample.authors = self.authors(alike)
        return sample

    def difference(self, alike: float) -> ShareDifference:
        """The other version's accuracy minus this one's, on these drawings."""
        counts = np.stack([self.mended, self.broken, self.n]).sum(axis=2).T.tolist()
        places = [(NOVEMBER, chance) for chance in CHANCES]
        pairs = {place: Pairs(*each) for place, each in zip(places, counts, strict=True) if each[2]}
        told = {place: (each[2], each[2]) for place, each in zip(places, counts, strict=True)}
        return between_pairs(pairs, told, self.authors(alike))


@dataclass(frozen=True, slots=True)
class Site:
    """How many draw, how unlike they are, and how often the model errs by band."""

    crowd: str
    spread: float
    errors: Floats
    labels: int  # a month, about

    def tempers(self, dice: np.random.Generator, count: int) -> Floats:
        """How many times as often as the average person's each one's drawings are misread."""
        return dice.gamma(1 / self.spread, self.spread, count) if self.spread else np.ones(count)

    def model_error(self) -> float:
        """Over people in general."""
        many = self.tempers(np.random.default_rng(0), 400_000)
        return float((BAND_SHARES[:, None] * self.errors_of(many)).sum(axis=0).mean())

    def errors_of(self, tempers: Floats) -> Floats:
        found: Floats = np.minimum(0.9, self.errors[:, None] * tempers)
        return found

    def crowd_of(self, dice: np.random.Generator) -> tuple[Floats, Floats]:
        """Shares of the drawings, and tempers."""
        weights = CROWDS[self.crowd](dice)
        return weights / weights.sum(), self.tempers(dice, len(weights))

    def month(
        self, dice: np.random.Generator, shares: Floats, tempers: Floats, first: int = 1
    ) -> Drawn:
        """`first` numbers the people, so that others have other numbers."""
        drawings = dice.multinomial(round(self.labels / RATE), shares)
        chances = BAND_SHARES * np.array(CHANCES) / 1_000_000
        n = np.array([dice.binomial(drawings, chance) for chance in chances])
        errors = self.errors_of(tempers)
        wrong = dice.binomial(n, errors)
        # What the other version mends differs from person to person too.
        gains = dice.random(len(shares)) if self.spread else np.full(len(shares), MENDED)
        broken = dice.binomial(n - wrong, BROKEN * self.errors[:, None] + 0 * tempers)
        truth = 1 - float((BAND_SHARES[:, None] * errors * shares).sum())
        people = np.arange(len(shares)) + first
        return Drawn(people, n, wrong, dice.binomial(wrong, gains), broken, truth)

    def gain(self) -> float:
        """The other version's accuracy minus this one's, over people in general."""
        many = self.tempers(np.random.default_rng(0), 400_000)
        errors = self.errors_of(many).mean(axis=1)
        lost = (1 - errors) * BROKEN * self.errors
        return float((BAND_SHARES * (MENDED * errors - lost)).sum())


def histories(site: Site, dice: np.random.Generator, count: int) -> dict[str, list[bool]]:
    """Whether the intervals held what they claim; "as drawings" is without widening."""
    held: dict[str, list[bool]] = {
        name: []
        for name in (
            "this month", "the model", f"the model{AS_DRAWINGS}", "other people",
            f"other people{AS_DRAWINGS}", "the same people", "two versions",
        )
    }  # fmt: skip
    model, gain = 1 - site.model_error(), site.gain()
    for _ in range(count):
        months = []
        for number in range(MONTHS):
            shares, tempers = site.crowd_of(dice)
            months.append(site.month(dice, shares, tempers, 1_000 * number))
        alike = correlation(np.sum([each.squares() for each in months], axis=0))
        before, now = (each.sample(alike) for each in months[-2:])
        again = site.month(dice, shares, tempers, 1_000 * (MONTHS - 1))
        note(held["this month"], now.share, months[-1].truth)
        note(held["the model"], now.share_of_others(), model)
        note(held[f"the model{AS_DRAWINGS}"], now.share, model)
        note(held["other people"], between(before, now), 0.0)
        if before.share and now.share:
            note(held[f"other people{AS_DRAWINGS}"], difference(before.share, now.share), 0.0)
        note(held["the same people"], between(now, again.sample(alike)), 0.0)
        alike = correlation(np.sum([each.squares_of_pairs() for each in months], axis=0))
        note(held["two versions"], months[-1].difference(alike), gain)
    return held


def note(held: list[bool], found: Any, truth: float) -> None:
    if found is not None:
        held.append(bool(found.low <= truth <= found.high))


def coverage(
    errors_of: Any,
    count: int,
    seed: int = 0,
    *,
    crowds: Sequence[str] = tuple(CROWDS),
    spreads: Sequence[float] = SPREADS,
    accuracies: Sequence[float] = (0.9, 0.987),
    labels: Sequence[int] = (100, 1_000),
) -> list[dict[str, Any]]:
    """One line for each site and claim; `errors_of` gives the errors by band for an accuracy."""
    dice = np.random.default_rng(seed)
    return [
        {
            "crowd": crowd, "spread": spread, "accuracy": accuracy, "labels": n, "claim": claim,
            "covered": round(float(np.mean(held)), 4), "histories": len(held),
        }
        for crowd in crowds
        for spread in spreads
        for accuracy in accuracies
        for n in labels
        for site in [Site(crowd, spread, errors_of(accuracy), n)]
        for claim, held in histories(site, dice, count).items()
    ]  # fmt: skip
