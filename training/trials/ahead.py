"""About how many more answers and drawings will decide a trial, if it goes on as so far."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from training.trials.likelihood import log_against, log_evidence

MOST_ANSWERS = 10_000
MOST_DRAWINGS = 1_000_000


@dataclass(frozen=True, slots=True)
class Ahead:
    """A trial's counts, and what would decide it."""

    better: int
    worse: int
    neither: int
    pending: int
    drawings: int
    gain: float  # the smallest that is worth having
    promoting: float  # log e-value that is enough
    refuting: float  # log e-value against the gain that ends it
    spent: float  # log e-value lost so far because authors may differ

    def to_go(self) -> tuple[int, int]:
        """Further drawings and answers; no answers where drawings alone will end it."""
        unasked = least(self.is_refuted_after, MOST_DRAWINGS)
        answers = least(self.is_decided_after, MOST_ANSWERS)
        drawings = math.ceil(max(answers - self.pending, 0) / self.differing)
        if unasked <= drawings:
            return unasked, 0
        return min(drawings, MOST_DRAWINGS), answers

    @property
    def differing(self) -> float:
        """The share of drawings that the versions read differently; one in 100 at the start."""
        answered = self.better + self.worse + self.neither
        return (answered + self.pending + 0.5) / (self.drawings + 50)

    def is_refuted_after(self, drawings: int) -> bool:
        """Whether so many more drawings rule out a gain, if each that differs might be one."""
        better = self.better + self.pending + round(drawings * self.differing)
        against = log_against(better, self.worse, self.drawings + drawings, self.gain)
        return against >= self.refuting

    def is_decided_after(self, answers: int) -> bool:
        """Whether so many more answers decide it; before the first, three of four are better."""
        decisive = self.better + self.worse
        telling = answers * (decisive + 4) / (decisive + self.neither + 4.5)
        won = round(telling * (self.better + 3) / (decisive + 4))
        better, worse = self.better + won, self.worse + round(telling) - won
        evidence = float(log_evidence(better, worse)) - self.spent * (better + worse) / max(
            decisive, 1
        )
        if evidence >= self.promoting:
            return True
        drawings = self.drawings + round(max(answers - self.pending, 0) / self.differing)
        unanswered = max(self.pending - answers, 0)
        return log_against(better + unanswered, worse, drawings, self.gain) >= self.refuting


def least(is_enough: Callable[[int], bool], most: int) -> int:
    """About the least number that is enough, within 2 %; it is at least 1."""
    few, many = 0, 1
    while many < most and not is_enough(many):
        few, many = many, many * 2
    while many - few > max(1, many // 50):
        middle = (few + many) // 2
        few, many = (few, middle) if is_enough(middle) else (middle, many)
    return min(many, most)
