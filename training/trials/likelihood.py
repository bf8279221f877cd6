"""E-values for pairs of readings: evidence that may be looked at after every answer.

An e-value here is a likelihood ratio: how probable the sequence of outcomes is if the claim holds,
over the most that any version of the opposite makes it. Of all trials without a true difference,
at most one in 20 ever reaches 20, however often one looks (Ville's inequality). The proof is in
docs/decisions/2026-11-30-trials-may-be-looked-at-after-every-answer.md.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Counts = NDArray[np.int64]
Logs = NDArray[np.float64]

# How likely the better outcome is, if the candidate is better. Fine-tunes mend far more than they
# break, so each of these counts as much as it is above a half.
CHANCES = np.arange(0.525, 1, 0.05)
# How much authors may differ while the versions are equal on the whole: an author's share of better
# outcomes has a beta distribution with mean 1/2 and these parameters. 1: any share is as likely;
# 1/2: most authors gain from one of the two versions nearly always.
SPREADS = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 55.0)
# How much they may differ if the candidate is better: half of the numerator's weight is on these.
CLAIMED_CHANCES = np.array([0.55, 0.65, 0.75, 0.85, 0.95])
CLAIMED_SPREADS = (0.5, 1.5, 3.0, 8.0)
STAKES = np.array([0.05, 0.1, 0.2, 0.4, 0.7, 0.95])  # of the bets against a gain
MOST = 1e12  # no e-value above is told apart


def capped(log: float) -> float:
    """The e-value with this logarithm."""
    return math.exp(min(log, math.log(MOST)))


def log_mean(logs: ArrayLike) -> Logs:
    """The logarithm of the mean over the first axis."""
    return np.asarray(np.logaddexp.reduce(logs) - math.log(len(np.asarray(logs))))


def log_expected(logs: ArrayLike, chances: Logs) -> Logs:
    """The logarithm of the mean over the first axis, one row a chance of the better outcome."""
    weights = (chances - 0.5) / (chances - 0.5).sum()
    return np.asarray(np.logaddexp.reduce(np.asarray(logs).T + np.log(weights), axis=-1).T)


def log_evidence(better: ArrayLike, worse: ArrayLike) -> Logs:
    """The log e-value that the first outcome is the likelier one, whoever drew."""
    gains, losses = np.log(2 * CHANCES), np.log(2 - 2 * CHANCES)
    logs = np.multiply.outer(gains, better) + np.multiply.outer(losses, worse)
    return log_expected(logs, CHANCES)


def log_evidence_by_author(better: Counts, worse: Counts, is_better: NDArray[np.bool_]) -> Logs:
    """The log e-value, after each outcome, that the candidate is better for people like these.

    It is never more than the outcomes give whoever drew: where many people gain a little and a few
    lose much, most authors speak for the candidate, and the outcomes do not.
    The last axis is the sequence of outcomes; `better` and `worse` count its author's earlier ones.
    """

    def log_chance(a: float, b: float) -> Logs:
        """Of the outcomes so far, if an author's share of better ones has the beta distribution."""
        chance = np.where(is_better, a + better, b + worse) / (a + b + better + worse)
        return np.cumsum(np.log(chance), axis=-1)

    alike = math.log(0.5) * np.arange(1, is_better.shape[-1] + 1)
    null = alike
    for spread in SPREADS:
        null = np.maximum(null, log_chance(spread, spread))
    claims = [
        log_mean(
            [
                log_chance(2 * spread * chance, 2 * spread * (1 - chance))
                for spread in CLAIMED_SPREADS
            ]
        )
        for chance in CLAIMED_CHANCES
    ]
    won = np.cumsum(is_better, axis=-1)
    lost = np.cumsum(~is_better, axis=-1)
    whoever_drew = log_evidence(won, lost)
    claimed = log_expected(claims, CLAIMED_CHANCES)
    by_author = log_mean([claimed, alike + whoever_drew]) - null
    return np.asarray(np.minimum(by_author, whoever_drew))


def log_against(better: int, worse: int, drawings: int, gain: float) -> float:
    """The log e-value against a gain of this share of the drawings, or more.

    Each drawing counts 1, 0 or -1. A bettor who loses by each drawing that the candidate mends and
    wins by all others cannot get rich if the mean is the gain; the mean over the stakes neither.
    """
    return float(
        log_mean(
            better * np.log1p(STAKES * (gain - 1))
            + worse * np.log1p(STAKES * (gain + 1))
            + (drawings - better - worse) * np.log1p(STAKES * gain)
        )
    )
