from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from training.trials.pairs import Pairs, holm, score, tail


@given(st.integers(0, 3_000), st.integers(0, 3_000))
def test_mcnemars_p_is_the_exact_binomial_one(better: int, worse: int):
    pairs = Pairs(better, worse, 6_000)
    if better + worse:
        exact = binomtest(better, better + worse).pvalue
        above = binomtest(better, better + worse, alternative="greater").pvalue
        assert pairs.p == pytest.approx(exact, rel=1e-9)
        assert pairs.p_better == pytest.approx(above, rel=1e-9)
    else:
        assert pairs.p == pairs.p_better == pairs.p_worse == 1


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_tail_is_right_to_the_last_digits(hits: int, more: int):
    tosses = hits + more
    ways = sum(math.comb(tosses, k) for k in range(hits, tosses + 1))
    assert tail(hits, tosses) == pytest.approx(ways / 2**tosses, rel=1e-13)


def test_known_p_values():
    assert Pairs(20, 9, 812).p == pytest.approx(0.0614, abs=1e-4)
    assert Pairs(40, 24, 812).p == pytest.approx(0.0599, abs=1e-4)


@settings(max_examples=200)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 2_000))
def test_the_interval_holds_the_estimate_and_mirrors(better: int, worse: int, same: int):
    pairs = Pairs(better, worse, better + worse + same)
    mirrored = Pairs(worse, better, pairs.n)
    assert -1 <= pairs.lower(0.95) <= pairs.difference <= pairs.upper(0.95) <= 1
    assert pairs.lower(0.95) == pytest.approx(-mirrored.upper(0.95))
    assert pairs.lower(0.99) <= pairs.lower(0.95)


def test_the_interval_has_width_where_nothing_differed():
    z2 = 1.6448536**2
    assert Pairs(0, 0, 100).lower(0.95) == pytest.approx(-z2 / (100 + z2), abs=1e-6)


def test_at_its_limits_the_score_is_that_of_the_level():
    pairs = Pairs(12, 2, 44)
    assert score(pairs, pairs.lower(0.975)) == pytest.approx(1.96, abs=1e-3)
    assert score(pairs, pairs.upper(0.975)) == pytest.approx(-1.96, abs=1e-3)


def test_without_a_supposed_difference_the_score_is_mcnemars():
    assert score(Pairs(12, 2, 44), 0.0) == pytest.approx(10 / 14**0.5)


@pytest.mark.parametrize("n", [150, 500, 5_000])
@pytest.mark.parametrize("shares", [(0.008, 0.003), (0.01, 0.01), (0.002, 0.02), (0.0, 0.02)])
def test_the_lower_limit_covers_the_truth_as_often_as_it_says(n: int, shares: tuple[float, float]):
    better, worse = shares
    dice = np.random.default_rng(n)
    drawn = dice.multinomial(n, [better, worse, 1 - better - worse], size=2_000)
    pairs, counts = np.unique(drawn[:, :2], axis=0, return_counts=True)
    covered = sum(
        count
        for (b, c), count in zip(pairs.tolist(), counts.tolist(), strict=True)
        if Pairs(b, c, n).lower(0.95) <= better - worse + 1e-9
    )
    # Score limits lie around their level; with few events they may fall two points below it.
    assert covered / 2_000 >= 0.925


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_makes_a_p_value_smaller_nor_changes_their_order(values: list[float]):
    adjusted = holm(values)
    assert all(a >= min(v, 1) for a, v in zip(adjusted, values, strict=True))
    assert all(a <= v * len(values) + 1e-12 for a, v in zip(adjusted, values, strict=True))
    order = sorted(range(len(values)), key=lambda at: values[at])
    assert [adjusted[at] for at in order] == sorted(adjusted)


def test_holm_as_in_the_textbook():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
