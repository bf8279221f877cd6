from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from tests.training.comparisons import (
    COLLAPSED,
    HALF_A_POINT,
    NO_DIFFERENCE,
    ONE_POINT,
    POISONED,
    SCATTERED,
    Truth,
    promoted,
)
from training.gate.checks import (
    Bounds,
    check_cells,
    check_digits,
    check_gain,
    check_sets,
    items_for_gain,
    power_of,
)
from training.gate.comparison import (
    Items,
    Kind,
    Pairs,
    calibration_error,
    compare,
    holm,
    joined,
    score,
    tail,
)
from training.gate.gate import Judgement, Verdict, base_checks, judge

BOUNDS = Bounds()
# A live version that errs on one drawing in twenty of hands it does not know.
A_NEW_HAND = Truth(better=0.04, worse=0.004, both_wrong=0.008)
ROUNDS = 200


def share_promoted(truth: Truth, n: int, *, seed: int, look: int = 1) -> float:
    dice = np.random.default_rng(seed)
    return sum(promoted(truth, n, dice, look=look) for _ in range(ROUNDS)) / ROUNDS


def one_digit(digit: int, *, better: int, worse: int, n: int, read_as: int | None = None) -> Items:
    """n drawings of one digit that the live version reads but for `better` of them."""
    labels = np.full(n, digit)
    other = (digit + 1) % 10 if read_as is None else read_as
    live, candidate = labels.copy(), labels.copy()
    live[:better] = other
    candidate[better : better + worse] = other
    one_hot = np.eye(10, dtype=np.float32)
    return Items("holdout", Kind.HOLDOUT, labels, one_hot[candidate], one_hot[live])


def judged(truth: Truth, n: int, seed: int = 1) -> Judgement:
    return judge(truth.sets(n, np.random.default_rng(seed)), look=1)


class TestOver200Comparisons:
    def test_without_a_true_difference_it_promotes_at_most_5_percent(self):
        assert share_promoted(NO_DIFFERENCE, 5_000, seed=1) <= 0.05

    def test_a_gain_of_half_a_point_shows_in_5000_drawings(self):
        assert share_promoted(HALF_A_POINT, 5_000, seed=2) >= 0.80

    def test_a_gain_of_a_point_shows_in_5000_drawings(self):
        assert share_promoted(ONE_POINT, 5_000, seed=3) >= 0.80

    @pytest.mark.parametrize("n", [800, 5_000])
    @pytest.mark.parametrize("truth", [POISONED, COLLAPSED])
    def test_a_digit_that_collapsed_is_never_promoted(self, truth: Truth, n: int):
        assert share_promoted(truth, n, seed=n) == 0

    @pytest.mark.parametrize("truth", [COLLAPSED, SCATTERED])
    def test_the_collapse_is_seen_by_the_drawings_alone(self, truth: Truth):
        """Also where MNIST's images of that digit are read as well as before."""
        dice = np.random.default_rng(4)
        unharmed = Truth(better=0.001, worse=0.001).items("MNIST", Kind.BASE, 10_000, dice)
        for _ in range(ROUNDS // 4):
            drawings = truth.sets(2_000, dice, base=0)
            assert judge([*drawings, unharmed], look=1).verdict is not Verdict.PROMOTE

    def test_poison_in_what_mnist_holds_is_refused_as_forgetting(self):
        forgetful = replace(ONE_POINT, base_worse=0.006)
        assert share_promoted(forgetful, 5_000, seed=5) == 0

    def test_ten_looks_without_a_true_difference_promote_at_most_5_percent(self):
        """The items stay; candidate after candidate that is no better is tried on them."""
        dice = np.random.default_rng(6)
        tosses = dice.binomial(50, 0.5, size=(10_000, 10))
        won = [
            [Pairs(fixed, 50 - fixed, 5_000).p_better <= BOUNDS.level_of(k + 1) for fixed in row]
            for k, row in ((k, tosses[:2_000, k]) for k in range(10))
        ]
        assert np.mean(np.any(won, axis=0)) <= 0.05
        assert np.mean(won[0]) > 0.005  # the first look alone does promote now and then


class TestTheVerdict:
    def test_a_clear_gain_is_promoted_with_its_numbers_in_words(self):
        found = judged(ONE_POINT, 5_000)
        assert found.verdict is Verdict.PROMOTE
        pairs = found.figures["drawings"]
        assert f"{pairs['better']} better, {pairs['worse']} worse of 5,000" in found.reasons[0]

    def test_poison_is_rejected_and_the_reason_names_the_digit(self):
        found = judged(POISONED, 5_000)
        assert found.verdict is Verdict.REJECT
        assert any("7 of drawings is read worse" in reason for reason in found.reasons)
        assert any("7 is read as 1 more often" in reason for reason in found.reasons)

    def test_20_better_9_worse_of_812_is_not_enough(self):
        check = check_gain(Pairs(20, 9, 812), BOUNDS, look=1)
        assert check.state == "open"
        assert "20 better, 9 worse of 812 drawings: p = .061" in check.said
        assert check.more > 0

    def test_too_few_drawings_ask_for_more_and_say_how_many(self):
        found = judged(ONE_POINT, 300)
        assert found.verdict is Verdict.MORE
        assert found.labels_needed is not None
        assert 500 < found.labels_needed < 20_000
        assert sum(found.figures["wanted_by_digit"]) > 0

    def test_without_any_drawing_it_asks_for_more(self):
        base = NO_DIFFERENCE.items("MNIST", Kind.BASE, 10_000, np.random.default_rng(1))
        found = judge([base], look=1)
        assert found.verdict is Verdict.MORE
        assert found.labels_needed

    def test_without_mnist_nothing_is_promoted(self):
        found = judge(ONE_POINT.sets(5_000, np.random.default_rng(1), base=0), look=1)
        assert found.verdict is Verdict.MORE
        assert "MNIST's test set is not there" in found.reasons[0]

    def test_the_same_candidate_gains_nothing_and_is_rejected(self):
        same = replace(NO_DIFFERENCE, better=0.0, worse=0.0, base_better=0.0, base_worse=0.0)
        assert judged(same, 5_000).verdict is Verdict.REJECT

    def test_a_digit_of_mnist_that_is_lost_is_not_made_up_for_by_another(self):
        lost = one_digit(3, better=0, worse=40, n=1_000)
        base = joined([lost, one_digit(4, better=60, worse=0, n=1_000)], "MNIST", Kind.BASE)
        checks = base_checks([base], {"MNIST": compare(base)}, BOUNDS)
        states = {check.name: check.state for check in checks}
        assert (states["MNIST"], states["digits of MNIST"]) == ("passed", "failed")

    def test_confidence_gone_wild_is_rejected(self):
        sets = ONE_POINT.sets(5_000, np.random.default_rng(1))
        vain = [replace(items, candidate=flat(items.candidate)) for items in sets]
        found = judge(vain, look=1)
        assert found.verdict is Verdict.REJECT
        assert "confidence misses accuracy" in found.reasons[0]

    def test_a_month_that_became_worse_is_rejected(self):
        dice = np.random.default_rng(2)
        sets = ONE_POINT.sets(10_000, dice)
        old = Truth(better=0.0, worse=0.03).items("audits of 2026-01", Kind.AUDIT, 800, dice)
        found = judge([*sets, old], look=1)
        assert found.verdict is Verdict.REJECT
        assert any("audits of 2026-01" in reason for reason in found.reasons[:2])

    def test_deciding_reasons_come_first(self):
        states = [check["state"] for check in judged(POISONED, 5_000).figures["checks"]]
        assert states == sorted(states, key=["failed", "open", "passed"].index)

    def test_its_figures_can_be_stored_as_json(self):
        import json

        figures = judged(COLLAPSED, 1_000).figures
        assert json.loads(json.dumps(figures)) == figures


def flat(probabilities: np.ndarray) -> np.ndarray:
    """The same order with far less confidence."""
    return (0.5 * probabilities + 0.05).astype(np.float32)


class TestFewDrawings:
    """Too few of each digit to show anything: MNIST's images carry what they can."""

    SOUND = frozenset(range(10))

    def test_a_gain_that_shows_is_promoted_though_no_digit_has_enough_drawings(self):
        found = judged(A_NEW_HAND, 600)
        assert found.verdict is Verdict.PROMOTE
        assert any("too few to show it, MNIST's images do" in said for said in found.reasons)

    def test_what_mnist_carries_stays_a_wish_for_drawings(self):
        assert max(judged(A_NEW_HAND, 600).figures["wanted_by_digit"]) > 0

    def test_without_a_true_difference_few_drawings_promote_at_most_5_percent(self):
        assert share_promoted(NO_DIFFERENCE, 300, seed=9) <= 0.05

    def test_a_digit_that_mnist_does_not_speak_for_needs_its_own_drawings(self):
        compared = compare(one_digit(4, better=0, worse=0, n=50))
        spoken_for = check_digits(compared, BOUNDS, 0.02, "drawings", elsewhere=self.SOUND)
        assert spoken_for.state == "passed"
        silent = check_digits(compared, BOUNDS, 0.02, "drawings", elsewhere=self.SOUND - {4})
        assert silent.state == "open"

    @pytest.mark.parametrize(("worse", "state"), [(1, "passed"), (2, "open")])
    def test_one_drawing_of_fifty_speaks_against_nobody_and_two_do(self, worse: int, state: str):
        compared = compare(one_digit(4, better=0, worse=worse, n=50))
        digits = check_digits(compared, BOUNDS, 0.02, "drawings", elsewhere=self.SOUND)
        cells = check_cells(compared, BOUNDS, "drawings", elsewhere=self.SOUND)
        assert (digits.state, cells.state) == (state, state)

    def test_with_enough_drawings_of_a_digit_mnist_carries_it_no_more(self):
        compared = compare(one_digit(4, better=20, worse=20, n=400))
        found = check_digits(compared, BOUNDS, 0.02, "drawings", elsewhere=self.SOUND)
        assert found.state == "open"
        assert 4 in found.more_by_digit


class TestSmallCounts:
    def test_one_chance_error_in_a_small_cell_does_not_reject(self):
        compared = compare(one_digit(4, better=0, worse=1, n=20))
        assert check_cells(compared, BOUNDS, "drawings").state == "open"
        assert check_digits(compared, BOUNDS, 0.02, "drawings").state == "open"

    def test_a_month_that_lost_two_drawings_by_chance_does_not_either(self):
        lost = compare(one_digit(3, better=0, worse=2, n=100))
        assert check_sets([lost], BOUNDS).state == "passed"
        assert (
            check_sets([compare(one_digit(3, better=0, worse=8, n=100))], BOUNDS).state == "failed"
        )

    def test_ten_errors_in_it_do(self):
        compared = compare(one_digit(4, better=0, worse=10, n=100))
        assert check_cells(compared, BOUNDS, "drawings").state == "failed"
        assert check_digits(compared, BOUNDS, 0.02, "drawings").state == "failed"

    def test_a_shown_loss_within_the_margin_is_allowed(self):
        pairs = one_digit(4, better=0, worse=10, n=5_000)  # p = .001, 0.2 points
        check = check_digits(compare(pairs), BOUNDS, 0.02, "drawings")
        assert 4 not in check.more_by_digit

    def test_a_digit_nobody_drew_is_asked_for(self):
        check = check_digits(compare(one_digit(4, better=0, worse=0, n=500)), BOUNDS, 0.02, "x")
        assert set(check.more_by_digit) == set(range(10)) - {4}


class TestStatistics:
    @given(st.integers(0, 3_000), st.integers(0, 3_000))
    def test_mcnemars_p_is_the_exact_binomial_one(self, better: int, worse: int):
        pairs = Pairs(better, worse, 6_000)
        if better + worse:
            exact = binomtest(better, better + worse).pvalue
            above = binomtest(better, better + worse, alternative="greater").pvalue
            assert pairs.p == pytest.approx(exact, rel=1e-9)
            assert pairs.p_better == pytest.approx(above, rel=1e-9)
        else:
            assert pairs.p == pairs.p_better == pairs.p_worse == 1

    @given(st.integers(0, 300), st.integers(0, 300))
    def test_a_tail_is_right_to_the_last_digits(self, hits: int, more: int):
        tosses = hits + more
        ways = sum(math.comb(tosses, k) for k in range(hits, tosses + 1))
        assert tail(hits, tosses) == pytest.approx(ways / 2**tosses, rel=1e-13)

    def test_known_p_values(self):
        assert Pairs(20, 9, 812).p == pytest.approx(0.0614, abs=1e-4)
        assert Pairs(40, 24, 812).p == pytest.approx(0.0599, abs=1e-4)

    @settings(max_examples=200)
    @given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 2_000))
    def test_the_interval_holds_the_estimate_and_mirrors(self, better: int, worse: int, same: int):
        pairs = Pairs(better, worse, better + worse + same)
        mirrored = Pairs(worse, better, pairs.n)
        assert -1 <= pairs.lower(0.95) <= pairs.difference <= pairs.upper(0.95) <= 1
        assert pairs.lower(0.95) == pytest.approx(-mirrored.upper(0.95))
        assert pairs.lower(0.99) <= pairs.lower(0.95)

    def test_the_interval_has_width_where_nothing_differed(self):
        z2 = 1.6448536**2
        assert Pairs(0, 0, 100).lower(0.95) == pytest.approx(-z2 / (100 + z2), abs=1e-6)

    def test_at_its_limits_the_score_is_that_of_the_level(self):
        pairs = Pairs(12, 2, 44)
        assert score(pairs, pairs.lower(0.975)) == pytest.approx(1.96, abs=1e-3)
        assert score(pairs, pairs.upper(0.975)) == pytest.approx(-1.96, abs=1e-3)

    def test_without_a_supposed_difference_the_score_is_mcnemars(self):
        assert score(Pairs(12, 2, 44), 0.0) == pytest.approx(10 / 14**0.5)

    @pytest.mark.parametrize("n", [150, 500, 5_000])
    @pytest.mark.parametrize("shares", [(0.008, 0.003), (0.01, 0.01), (0.002, 0.02), (0.0, 0.02)])
    def test_the_lower_limit_covers_the_truth_as_often_as_it_says(
        self, n: int, shares: tuple[float, float]
    ):
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
    def test_holm_never_makes_a_p_value_smaller_nor_changes_their_order(self, values: list[float]):
        adjusted = holm(values)
        assert all(a >= min(v, 1) for a, v in zip(adjusted, values, strict=True))
        assert all(a <= v * len(values) + 1e-12 for a, v in zip(adjusted, values, strict=True))
        order = sorted(range(len(values)), key=lambda at: values[at])
        assert [adjusted[at] for at in order] == sorted(adjusted)

    def test_holm_as_in_the_textbook(self):
        assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])

    def test_the_looks_never_use_more_than_the_level(self):
        used = sum(BOUNDS.level_of(look) for look in range(1, 100_000))
        assert 0.0499 < used < 0.05

    def test_the_calibration_error_is_the_gap_between_confidence_and_accuracy(self):
        rows = np.full((1_000, 10), 0.2 / 9, np.float32)
        rows[:, 3] = 0.8
        labels = np.full(1_000, 3)
        labels[:100] = 5
        assert calibration_error(rows, labels) == pytest.approx(0.1, abs=1e-6)


class TestHowManyMore:
    def test_the_power_is_that_of_simulated_comparisons(self):
        level = BOUNDS.level_of(1)
        dice = np.random.default_rng(7)
        drawn = dice.multinomial(3_000, [0.008, 0.003, 0.989], size=4_000)[:, :2]
        shown = [Pairs(b, c, 3_000).p_better <= level for b, c in drawn.tolist()]
        assert power_of(3_000, 0.008, 0.003, level) == pytest.approx(np.mean(shown), abs=0.025)

    def test_with_that_many_items_the_gain_shows(self):
        n = items_for_gain(0.012, 0.004, 0.03, 0.80)
        assert 0.78 < power_of(n, 0.012, 0.004, 0.03) < 0.84

    def test_a_smaller_gain_asks_for_more(self):
        asked = [items_for_gain(0.003 + gain, 0.003, 0.03, 0.8) for gain in (0.02, 0.01, 0.005)]
        assert asked == sorted(asked)

    def test_a_gain_too_small_to_be_shown_is_rejected(self):
        check = check_gain(Pairs(502, 498, 100_000), BOUNDS, look=1)
        assert check.state == "failed"
