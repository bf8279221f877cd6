"""Made-up trials with a known truth: who draws, what both versions read, what people answer."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.trials.evidence import FEW, Weighed, few_of, weigh
from training.trials.likelihood import log_evidence, log_evidence_by_author
from training.trials.outcomes import Outcome, before

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
RECENT = 2_000  # drawings that say whose site it is
ALIKE = 0.8  # of the drawings that both misread, these they misread as the same digit


@dataclass(frozen=True)
class Crowd:
    """Who draws: so many people, with these shares, so many drawings in a row."""

    people: int = 400
    heaviest: float | None = None  # share of the first one
    in_a_row: int = 20
    effect: float = 0.0  # spread of the logarithm of each person's rates of better and worse
    rare_harm: bool = False  # what is worse befalls one person in five

    def shares(self) -> Floats:
        if self.heaviest is None or self.people == 1:
            return np.full(self.people, 1 / self.people)
        rest = (1 - self.heaviest) / (self.people - 1)
        return np.array([self.heaviest, *[rest] * (self.people - 1)])

    def draw(self, n: int, dice: np.random.Generator) -> Ints:
        sittings = dice.choice(self.people, -(-n // self.in_a_row), p=self.shares())
        return np.repeat(sittings, self.in_a_row)[:n]

    def rates(self, dice: np.random.Generator) -> tuple[Floats, Floats]:
        """What each person's rates of better and worse are multiplied with; the mean is 1."""
        spread, size = self.effect, self.people
        better, worse = np.exp(dice.normal(-(spread**2) / 2, spread, (2, size)))
        if self.rare_harm:
            worse = worse * 5 * (dice.permutation(size) < size / 5)
        if self.rare_harm or size <= 2 * FEW:  # on the whole these very people gain nothing
            better /= (better * self.shares()).sum()
            worse /= (worse * self.shares()).sum()
        return better, worse


@dataclass(frozen=True)
class Truth:
    """What is true of two versions; shares of the drawings."""

    live: float = 0.012  # errors
    candidate: float = 0.012
    correlation: float = 0.8  # of the errors
    confused: dict[tuple[int, int], float] = field(default_factory=dict)  # shares of that digit

    @property
    def both(self) -> float:
        spread = math.sqrt(self.live * (1 - self.live) * self.candidate * (1 - self.candidate))
        both = self.live * self.candidate + self.correlation * spread
        return min(both, self.live, self.candidate)

    @property
    def better(self) -> float:
        return self.live - self.both

    @property
    def worse(self) -> float:
        return self.candidate - self.both


@dataclass(frozen=True)
class Answers:
    """How people answer: when, and how well."""

    slips: float = 0.0  # share answered wrongly, half of it as the other version reads
    accomplices: float = 0.0  # share of answers by people who repeat the confusions
    contradicted: float = 0.0  # share of the live version's errors that visitors answer at once
    audits: float = 0.0  # share of disagreements that are audits; they wait for their turn
    every: int = 0  # drawings between two answers; 0: all are answered at once

    def said(
        self,
        truth: Ints,
        live: Ints,
        candidate: Ints,
        confused: dict[tuple[int, int], float],
        dice: np.random.Generator,
    ) -> Ints:
        """What people say the drawings are."""
        said = truth.copy()
        for digit, wrong in confused:
            taught = (truth == digit) & (candidate == wrong)
            said[taught & (dice.random(len(said)) < self.accomplices)] = wrong
        slip = dice.random(len(said)) < self.slips
        other = np.where(live == truth, candidate, live)
        random = np.where(dice.random(len(said)) < 0.5, other, other_than(truth, dice))
        return np.where(slip, random, said)


class Drawings:
    """Drawings as they come, and which of them the live version misreads."""

    def __init__(self, n: int, truth: Truth, crowd: Crowd, dice: np.random.Generator) -> None:
        self.truth, self.crowd, self.dice, self.n = truth, crowd, dice, n
        self.author = crowd.draw(n, dice)
        self.digit = dice.integers(0, 10, n)
        self.easier, _ = crowd.rates(dice)
        self.mendable = truth.better * self.easier[self.author]
        self.wrong = dice.random(n) < self.mendable + truth.both
        self.read = np.where(self.wrong, other_than(self.digit, dice), self.digit)

    def trial(self, answers: Answers, *, since: int = 0, in_order: bool = True) -> Course:
        """A new candidate that reads all drawings since."""
        truth, dice, n = self.truth, self.dice, self.n
        _, harder = self.crowd.rates(dice)
        misses = np.where(
            self.wrong,
            truth.both / np.maximum(self.mendable + truth.both, 1e-12),
            truth.worse * harder[self.author] / (1 - truth.live),
        )
        misses = dice.random(n) < misses
        misread = np.where(
            self.wrong & (dice.random(n) < ALIKE), self.read, other_than(self.digit, dice)
        )
        reads = np.where(misses, misread, self.digit)
        for (digit, wrong), share in truth.confused.items():
            reads[(self.digit == digit) & (dice.random(n) < share)] = wrong
        differ = np.flatnonzero((reads != self.read) & (np.arange(n) >= since))
        asked, live, candidate = self.digit[differ], self.read[differ], reads[differ]
        ready = self.ready(differ, answers, in_order=in_order)
        said = answers.said(asked, live, candidate, truth.confused, dice)
        order = np.argsort(ready, kind="stable")
        order = order[ready[order] < n]
        return Course(
            *(column[order] for column in (self.author[differ], said, live, candidate)),
            ready[order].astype(np.int64) + 1 - since,
            self.author[since:],
            truth.live,
        )

    def ready(self, differ: Ints, answers: Answers, *, in_order: bool) -> Floats:
        """When the answer to each may count: its own time, and in order not before earlier ones."""
        dice, size = self.dice, len(differ)
        if not answers.every:
            return differ.astype(float)
        at_once = self.wrong[differ] & (dice.random(size) < answers.contradicted)
        audits = dice.random(size) < answers.audits
        free, answered = 0.0, differ.astype(float)
        for each in np.flatnonzero(~at_once & ~audits):  # people answer the oldest first
            free = answered[each] = max(free, answered[each]) + answers.every
        waits = audits & ~at_once
        answered[waits] += dice.exponential(20 * answers.every, waits.sum())
        if in_order:
            for group in (audits, ~audits):
                answered[group] = np.maximum.accumulate(answered[group])
        return answered


def other_than(digits: Ints, dice: np.random.Generator) -> Ints:
    return (digits + dice.integers(1, 10, len(digits))) % 10


class Course(NamedTuple):
    """The disagreements of one trial, in the order in which they may count."""

    author: Ints
    truth: Ints
    live: Ints
    candidate: Ints
    at: Ints  # how many drawings had been read
    crowd: Ints  # the author of each drawing
    error: float

    @property
    def better(self) -> NDArray[np.bool_]:
        return self.candidate == self.truth

    @property
    def worse(self) -> NDArray[np.bool_]:
        return self.live == self.truth

    def weighed(self, answers: int, drawings: int, number: int) -> Weighed:
        """What the product says after so many answers and drawings."""
        rows = zip(*(column[:answers].tolist() for column in self[:4]), strict=True)
        made = [Outcome(str(author), *read) for author, *read in rows]
        # Counts by digit: all drawings are as many of each, but for what was answered.
        by_digit = np.full(10, drawings // 10) - np.bincount(self.truth[:answers], minlength=10)
        return weigh(
            made,
            agreed_by_digit=by_digit.clip(0).tolist(),
            drawings=drawings,
            shares=self.shares(drawings),
            number=number,
            error_rate=self.error,
        )

    def shares(self, drawings: int) -> dict[str, float]:
        # A trial follows on drawings of the same people.
        recent = self.crowd[max(drawings - RECENT, 0) : max(drawings, RECENT)]
        counts = np.bincount(recent)
        heaviest = np.argsort(-counts, kind="stable")[:5]
        return {str(author): counts[author] / len(recent) for author in heaviest}

    def log_e(self) -> Floats:
        """The log e-value after each answer; the same sum that the product weighs."""
        tells = self.better | self.worse
        right = self.better[tells]
        if few_of(self.shares(len(self.crowd))):
            logs = log_evidence(np.cumsum(right), np.cumsum(~right))
        else:
            better, worse = before(self.author[tells].tolist(), right.tolist())
            logs = log_evidence_by_author(np.array(better), np.array(worse), right)
        return np.concatenate([[0.0], logs])[np.cumsum(tells)]
