"""Weigh a trial: is the candidate better, is it no better, does it harm, or is it too early to say?

- *Better*: among the answered drawings that one of the two versions misread, how often was it the
  live version? Where many people draw, the people here stand for others, so authors may differ by
  chance. Where at most five people draw nearly everything, it is for these people, and none of
  them may be read worse.
- *No better*: a gain that is worth having is ruled out. It is a share of the live version's errors.
- *Harm*: one digit, or one digit read as one other, is read worse than before by more than a
  margin. Weak evidence holds the promotion, strong evidence ends the trial.

Everything may be weighed after each answer; see `likelihood.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from training.trials.ahead import Ahead
from training.trials.harm import Harm, harms
from training.trials.likelihood import (
    capped,
    log_against,
    log_evidence,
    log_evidence_by_author,
)
from training.trials.outcomes import Balance, Outcome, balances_by_author, before

LEVEL = 0.05  # chance that a live version is ever replaced by one that is no better
FALLING, SHARES = 2.5, 1.3415  # the sum of k^-2.5 over all k is 1.34149
REFUSED = 0.01  # chance that a candidate with a worthwhile gain ends as no better
WORTHWHILE = 0.2  # smallest gain worth having, a share of the live version's errors
FEW = 5  # people; more stand for others
NEARLY_ALL = 0.8  # of what a site draws
AGREED = 3.0  # e-value by which others must agree with whoever speaks most for a candidate


class Verdict(StrEnum):
    PROMOTE = "promote"
    NO_BETTER = "no_better"
    HARM = "harm"
    MORE = "more"


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the answers say so far."""

    better: int
    worse: int
    neither: int  # both versions misread it
    e_value: float
    needed: float
    verdict: Verdict
    holds: tuple[Harm, ...]
    nobody_else: bool  # enough answers, but too few of them without one author's drawings
    people: int  # 0: many draw here; else it is judged for so few people
    futility: float  # e-value against a worthwhile gain
    worthwhile: float  # the smallest gain worth having, a share of the drawings
    drawings_to_go: int | None = None  # about so many more; None: decided
    answers_to_go: int | None = None

    @property
    def alone(self) -> bool:
        return self.people == 1

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def needed(number: int) -> float:
    """The e-value that candidate number k against one live version must reach.

    Number k uses k^-2.5 / 1.3415 of the level; these shares add up to 1. The first candidate then
    needs 27: six mended and none broken are enough.
    """
    return SHARES * number**FALLING / LEVEL


def weigh(
    outcomes: Sequence[Outcome],
    *,
    presumed: Sequence[Outcome] = (),
    agreed_by_digit: Sequence[int],
    drawings: int,
    shares: Mapping[str, float],
    number: int,
    error_rate: float,
    pending: int = 0,
) -> Weighed:
    """Weigh a trial's answers.

    `agreed_by_digit` counts the drawings that both versions read as this digit, `drawings` all that
    both have read. `shares` are the heaviest authors' shares of what the site draws. `pending` are
    the disagreements that may still be answered. `presumed` ones are taken against the candidate:
    as broken where it would go live, and as perhaps mended where it would end.
    """
    by_author = balances_by_author(outcomes)
    total = Balance.total(by_author.values())
    neither = len(outcomes) - total.better - total.worse
    few = few_of(shares)
    at_worst = [*outcomes, *presumed]
    log_e, whoever_drew = log_e_value(at_worst, few=bool(few)), log_pooled(total)
    promoting, refuting = math.log(needed(number)), -math.log(REFUSED)
    gain = WORTHWHILE * max(error_rate, (total.better + neither) / max(drawings, 1))
    log_futility = log_against(total.better + pending + len(presumed), total.worse, drawings, gain)
    holds = tuple(harms(outcomes, agreed_by_digit, few, by_author))
    joint = len(few) == 1 or rest_agrees(balances_by_author(at_worst))
    verdict = verdict_so_far(
        holds, is_better=log_e >= promoting and joint, is_futile=log_futility >= refuting
    )
    counts = (total.better, total.worse, neither)
    ahead = Ahead(*counts, pending, drawings, gain, promoting, refuting, whoever_drew - log_e)
    return Weighed(
        *counts,
        capped(log_e),
        needed(number),
        verdict,
        holds,
        max(log_e, whoever_drew) >= promoting and not joint,
        len(few),
        capped(log_futility),
        gain,
        *(ahead.to_go() if verdict is Verdict.MORE else ()),
    )


def verdict_so_far(holds: Sequence[Harm], *, is_better: bool, is_futile: bool) -> Verdict:
    if any(each.ends_the_trial for each in holds):
        return Verdict.HARM
    if is_better and not holds:
        return Verdict.PROMOTE
    return Verdict.NO_BETTER if is_futile else Verdict.MORE


def few_of(shares: Mapping[str, float]) -> frozenset[str]:
    """The fewest authors who draw nearly everything; nobody where these would be many."""
    heaviest = sorted(shares, key=lambda author: (-shares[author], author))
    for many in range(1, min(FEW, len(heaviest)) + 1):
        if sum(shares[author] for author in heaviest[:many]) >= NEARLY_ALL:
            return frozenset(heaviest[:many])
    return frozenset()


def log_e_value(outcomes: Sequence[Outcome], *, few: bool) -> float:
    """The log e-value that the candidate is better: for these few people, or for any."""
    telling = [each for each in outcomes if each.is_better or each.is_worse]
    is_better = [each.is_better for each in telling]
    if few:
        return log_pooled(Balance(sum(is_better), len(telling) - sum(is_better)))
    if not telling:
        return 0.0
    better, worse = before([each.author for each in telling], is_better)
    logs = log_evidence_by_author(np.array(better), np.array(worse), np.array(is_better))
    return float(logs[-1])


def log_pooled(balance: Balance) -> float:
    """The log e-value that the candidate is better, whoever drew."""
    return float(log_evidence(balance.better, balance.worse))


def rest_agrees(by_author: Mapping[str, Balance]) -> bool:
    """Whether the others, without the author who speaks most for the candidate, speak for it."""
    if not by_author:
        return False
    loudest = min(by_author, key=lambda author: by_author[author].lost)
    others = (balance for author, balance in by_author.items() if author != loudest)
    return log_pooled(Balance.total(others)) >= math.log(AGREED)
