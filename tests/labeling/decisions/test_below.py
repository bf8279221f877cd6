"""Whom the test names and whom it does not; its level, exactly."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from labeling.decisions.below import LEVEL, Evidence, evidence_against, evidence_by_row, tolerated


def months(*counts: tuple[int, int]) -> NDArray[np.int64]:
    """Wrong answers and answers of each month."""
    return np.array(counts, dtype=np.int64)


NOTHING = months((0, 0))


def against(own: NDArray[np.int64], others: NDArray[np.int64]) -> Evidence:
    """The evidence of first answers alone."""
    nothing = np.zeros_like(own)
    return evidence_against([(nothing, nothing), (own, others)])


@pytest.mark.parametrize("share", [0.0, 0.01, 0.02, 0.1, 0.5])
@pytest.mark.parametrize(("n", "others"), [(10, 30), (60, 20), (40, 150)])
def test_within_tolerance_the_expected_evidence_is_at_most_one(
    share: float, n: int, others: int
) -> None:
    wrong, others_wrong = np.mgrid[: n + 1, : others + 1].reshape(2, -1)
    own_rows = np.column_stack([wrong, np.full_like(wrong, n)])
    others_rows = np.column_stack([others_wrong, np.full_like(wrong, others)])
    most = float(tolerated(np.array(share)))
    chance = binom.pmf(wrong, n, most) * binom.pmf(others_wrong, others, share)
    assert chance @ np.exp(evidence_by_row(own_rows, others_rows)) <= 1


def test_nothing_said_is_no_evidence() -> None:
    assert against(NOTHING, NOTHING).is_void
    assert against(NOTHING, months((3, 300))).is_void


def test_a_person_right_in_97_of_100_among_98_is_never_named() -> None:
    for n in (100, 1_000, 10_000, 100_000):
        found = against(months((3 * n // 100, n)), months((8 * n // 100, 4 * n)))
        assert found.is_void
        assert not found.names(2)


@pytest.mark.parametrize(("wrong", "n"), [(18, 120), (30, 200), (150, 3_000)])
def test_one_in_six_wrong_is_named_and_so_is_one_in_twenty_in_time(wrong: int, n: int) -> None:
    others = months((4 * n // 100, 4 * n))
    assert against(months((wrong, n)), others).names(5)
    assert not against(months((wrong // 5, n)), others).names(5)


def test_the_same_counts_name_nobody_where_the_others_are_as_often_wrong() -> None:
    own = months((30, 200))
    assert against(own, months((8, 800))).names(5)
    assert not against(own, months((80, 800))).names(5)


def test_twice_the_others_share_is_tolerated_where_drawings_are_hard() -> None:
    others = months((2_000, 40_000))
    assert against(months((950, 10_000)), others).is_void
    assert against(months((1_500, 10_000)), others).names(5)


def test_few_answers_of_the_others_prove_little() -> None:
    own = months((30, 200))
    assert not against(own, months((0, 5))).names(5)


def test_the_more_labelers_there_are_the_more_it_takes() -> None:
    found = against(months((18, 100)), months((4, 400)))
    assert found.names(1)
    assert not found.names(100_000)


def test_somebody_who_turns_after_a_good_year_is_named_from_that_month_on() -> None:
    good = [(10, 1_000)] * 12
    others = months(*[(40, 4_000)] * 13)
    assert not against(months(*good, (10, 1_000)), others).names(5)
    turned = against(months(*good, (45, 300)), others)
    assert turned.names(5)
    assert turned.since == 12


def test_a_hard_month_is_compared_with_the_others_of_that_month() -> None:
    easy, hard = (2, 400), (60, 400)
    alike = against(months(easy, hard), months((8, 1_600), (240, 1_600)))
    assert not alike.names(5)


def test_gold_alone_is_enough_and_the_kinds_are_not_mixed_up() -> None:
    own, others = months((20, 100)), months((4, 400))
    found = evidence_against([(own, others), (NOTHING, NOTHING)])
    assert found.names(5)
    # Somebody who is asked little else than gold is compared with the others on gold.
    gold, first = months((10, 100)), months((0, 0))
    assert not evidence_against([(gold, months((40, 400))), (first, months((20, 20_000)))]).names(5)


def test_whoever_looks_every_week_for_a_year_names_nobody_honest() -> None:
    """Fifty teams of five, 40 first answers and 2 gold items a day each; one is right in 97 %."""
    dice = np.random.default_rng(15)
    shares = np.array([0.02, 0.02, 0.02, 0.02, 0.03])
    teams, days = 50, np.arange(7, 365, 7)
    for a_day in (2, 40):
        wrong = dice.binomial(7 * a_day, shares, size=(teams, len(days), 5)).cumsum(axis=1)
        own = np.column_stack([wrong[:, :, 4].ravel(), np.tile(a_day * days, teams)])
        others = np.column_stack([wrong[:, :, :4].sum(2).ravel(), np.tile(4 * a_day * days, teams)])
        assert evidence_by_row(own, others).max() < np.log(5 / LEVEL)
