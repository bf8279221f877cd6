"""E-values keep their promise: fair games under every null, whatever the order and the authors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.trials.likelihood import (
    SPREADS,
    Logs,
    log_against,
    log_evidence,
    log_evidence_by_author,
)
from training.trials.outcomes import before

counts = st.integers(0, 400)
authors_in_turn = st.lists(st.integers(0, 3), min_size=1, max_size=9)  # who made each outcome
answered = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=60)


def log_ratio(rows: Sequence[tuple[int, bool]]) -> float:
    """The evidence after these outcomes of these authors."""
    better, worse = before([author for author, _ in rows], [won for _, won in rows])
    won = np.array([won for _, won in rows])
    return float(log_evidence_by_author(np.array(better), np.array(worse), won)[-1])


def test_evidence_is_what_the_chances_make_of_it_the_better_the_more_it_counts() -> None:
    chances = [0.525, 0.575, 0.625, 0.675, 0.725, 0.775, 0.825, 0.875, 0.925, 0.975]
    mean = sum((p - 0.5) * (2 * p) ** 11 * (2 - 2 * p) for p in chances) / 2.5
    assert math.exp(log_evidence(11, 1)) == pytest.approx(mean)
    assert log_evidence(0, 0) == pytest.approx(0)


def test_a_million_outcomes_are_weighed_without_overflow() -> None:
    assert -700 > log_evidence(500_000, 500_000) > -1_300
    assert log_evidence(600_000, 400_000) > 10_000


@given(counts, counts, st.floats(0, 0.5))
def test_no_next_answer_of_a_version_that_is_no_better_raises_the_evidence_on_average(
    better: int, worse: int, p: float
) -> None:
    now = log_evidence(better, worse)
    rise = math.exp(log_evidence(better + 1, worse) - now)
    fall = math.exp(log_evidence(better, worse + 1) - now)
    assert p * rise + (1 - p) * fall <= 1 + 1e-9
    assert (rise + fall) / 2 == pytest.approx(1, abs=1e-9)


@given(counts, counts)
def test_each_better_outcome_is_more_evidence_and_each_worse_one_less(
    better: int, worse: int
) -> None:
    assert log_evidence(better + 1, worse) > log_evidence(better, worse)
    assert log_evidence(better, worse + 1) < log_evidence(better, worse)


def walks(authors: list[int], a: float, b: float) -> tuple[Logs, Logs]:
    """All sequences of outcomes of these authors: the chance of each, and its evidence on the way.

    Each author's share of better outcomes has a beta distribution; where its parameters are
    infinite, it is a half.
    """
    won = np.array(list(product((False, True), repeat=len(authors))))  # (sequences, outcomes)
    counted = np.array([before(authors, row) for row in won.tolist()])
    better, worse = counted[:, 0], counted[:, 1]
    p = np.full(won.shape, 0.5) if math.isinf(a) else (a + better) / (a + b + better + worse)
    return np.where(won, p, 1 - p).prod(1), log_evidence_by_author(better, worse, won)


@pytest.mark.parametrize("spread", [*SPREADS, math.inf])
@given(authors=authors_in_turn)
def test_under_every_null_the_mean_e_value_is_at_most_1_and_few_ever_reach_much(
    spread: float, authors: list[int]
) -> None:
    chance, logs = walks(authors, spread, spread)
    assert chance.sum() == pytest.approx(1)
    assert (chance[:, None] * np.exp(logs)).sum(0).max() <= 1 + 1e-9
    for much in (2, 4, 8):
        assert chance[logs.max(1) >= math.log(much)].sum() <= 1 / much + 1e-9


@given(authors=authors_in_turn, spread=st.floats(0.05, 60), below=st.floats(0.05, 1))
def test_a_worse_version_reaches_no_more_than_an_equal_one_may(
    authors: list[int], spread: float, below: float
) -> None:
    chance, logs = walks(authors, spread * below, spread)
    for much in (2, 4, 8):
        assert chance[logs.max(1) >= math.log(much)].sum() <= 1 / much + 1e-9


def closed_form(better: int, worse: int) -> float:
    """The evidence of one author's outcomes by beta functions."""

    def log_beta(a: float, b: float) -> float:
        return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)

    def chance(a: float, b: float) -> float:
        return log_beta(a + better, b + worse) - log_beta(a, b)

    means, spreads = (0.55, 0.65, 0.75, 0.85, 0.95), (0.5, 1.5, 3.0, 8.0)
    claims = [
        chance(2 * s * mean, 2 * s * (1 - mean)) + math.log((mean - 0.5) / 1.25 / len(spreads))
        for s in spreads
        for mean in means
    ]
    alike = [
        better * math.log(p) + worse * math.log(1 - p) + math.log((p - 0.5) / 2.5)
        for p in np.arange(0.525, 1, 0.05).tolist()
    ]
    nulls = [chance(spread, spread) for spread in SPREADS]
    nulls.append((better + worse) * math.log(0.5))
    weighted = [np.logaddexp.reduce(each) - math.log(2) for each in (claims, alike)]
    pooled = weighted[1] + math.log(2) + (better + worse) * math.log(2)
    return min(float(np.logaddexp(*weighted)) - max(nulls), pooled)


@pytest.mark.parametrize(
    ("better", "worse"), [(1, 0), (0, 1), (9, 2), (30, 30), (2_000, 2_000), (120, 3), (3, 120)]
)
def test_the_evidence_of_one_author_is_what_beta_functions_give(better: int, worse: int) -> None:
    rows = [(0, True)] * better + [(0, False)] * worse
    assert log_ratio(rows) == pytest.approx(closed_form(better, worse), abs=1e-6)


@given(answered, st.randoms())
def test_the_order_of_outcomes_does_not_matter(rows: list[tuple[int, bool]], dice: Random) -> None:
    shuffled = dice.sample(rows, len(rows))
    assert log_ratio(shuffled) == pytest.approx(log_ratio(rows), abs=1e-9)


@given(answered)
def test_the_evidence_after_each_outcome_is_that_of_the_outcomes_until_then(
    rows: list[tuple[int, bool]],
) -> None:
    better, worse = before([author for author, _ in rows], [won for _, won in rows])
    won = np.array([won for _, won in rows])
    path = log_evidence_by_author(np.array(better), np.array(worse), won)
    middle = len(rows) // 2
    assert path[middle] == pytest.approx(log_ratio(rows[: middle + 1]), abs=1e-9)


def test_outcomes_of_many_authors_convince_where_those_of_one_do_not() -> None:
    assert log_ratio([(author, True) for author in range(12)]) > math.log(300)
    assert log_ratio([(0, True)] * 500) < math.log(4)


def test_many_who_gain_a_little_do_not_outweigh_a_few_who_lose_as_much() -> None:
    gaining = [(author, True) for author in range(24) for _ in range(3)]
    losing = [(author, False) for author in range(24, 30) for _ in range(12)]
    assert log_ratio(gaining) > math.log(33)
    assert log_ratio(gaining + losing) < 0


def test_authors_who_differ_still_convince_when_most_of_them_gain() -> None:
    """Each author has so many outcomes that no chance is the same for all of them."""
    gaining = [(author, at % 10 != 0) for author in range(25) for at in range(100)]
    losing = [(author, at % 10 == 0) for author in range(25, 28) for at in range(100)]
    assert log_ratio(gaining + losing) > math.log(33)
    even = [(author, won) for author, won in gaining if author < 3]
    assert log_ratio(even + losing) < 0


@given(
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(0, 5_000),
    st.floats(1e-4, 0.1),
    st.floats(0, 0.5),
)
def test_a_gain_that_is_there_is_a_fair_game_for_who_bets_against_it(
    better: int, worse: int, alike: int, gain: float, loss: float
) -> None:
    n = better + worse + alike
    now = log_against(better, worse, n, gain)

    def factor(mended: int, broken: int) -> float:
        return math.exp(log_against(better + mended, worse + broken, n + 1, gain) - now)

    mean = (gain + loss) * factor(1, 0) + loss * factor(0, 1) + (1 - gain - 2 * loss) * factor(0, 0)
    if gain + 2 * loss <= 1:
        assert mean == pytest.approx(1, abs=1e-9)


def test_drawings_without_a_difference_rule_out_a_gain() -> None:
    assert log_against(0, 0, 1_000, 0.0024) < math.log(100)
    assert log_against(0, 0, 3_000, 0.0024) > math.log(100)
    assert log_against(10, 0, 3_000, 0.0024) < 0
