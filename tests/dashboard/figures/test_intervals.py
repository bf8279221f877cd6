"""Do the intervals tell the truth? The bench measures it; a quick look at every change."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from dashboard.figures.difference import difference
from dashboard.figures.figure import Share
from predictions.shares import exact, wilson
from tests.bench import audits
from tests.bench.intervals import PROFILES, errors_of, grid, measure
from tests.bench.support.people import AS_DRAWINGS, coverage

LUCK_OF_60 = 0.08


def test_intervals_of_audits_and_differences_hold_the_truth_and_the_biased_one_does_not() -> None:
    found = measure(120, seed=1)
    for name in ("audit", "audit, rate changed", "difference", "equal months"):
        assert 0.9 <= found[name].share <= 0.99, name
    assert found["all labeled"].share < 0.1


@pytest.mark.parametrize("n", [10, 20, 30, 50, 100, 300, 1_000])
def test_the_interval_of_a_share_covers_as_stated_however_few_the_labels(n: int) -> None:
    """Exactly, by the binomial distribution; Wilson's covers .84 to .9 somewhere for each n."""
    shares = np.concatenate([np.linspace(0.5, 0.99, 60), 1 - np.geomspace(0.0003, 0.01, 60)])
    ends = np.array([exact(right, n) for right in range(n + 1)])
    for share in shares.tolist():
        chances = binom.pmf(np.arange(n + 1), n, share)
        assert chances[(ends[:, 0] <= share) & (share <= ends[:, 1])].sum() >= 0.949


def test_intervals_of_few_labels_hold_the_truth_by_band_of_confidence() -> None:
    """Of 300 histories; 0.94 less three standard errors."""
    places = grid(300, seed=2, labeled=(50, 300), accuracies=(0.95, 0.99), profiles=("calibrated",))
    assert min(place.by_confidence.share for place in places) >= 0.9
    assert {place.name for place in places} >= {"month", "two months", "two versions"}


def test_a_claim_about_the_model_holds_for_people_in_general_and_counting_drawings_does_not() -> (
    None
):
    rows = coverage(
        lambda accuracy: errors_of(PROFILES["calibrated"], accuracy),
        60,
        seed=3,
        crowds=("26, one drew half", "5 people"),
        spreads=(0.5,),
        accuracies=(0.9,),
        labels=(1_000,),
    )
    for row in rows:
        if row["claim"].endswith(AS_DRAWINGS):
            assert row["covered"] < 0.8, row
        else:
            assert row["covered"] >= 0.87, row  # 0.94 less two standard errors of 60


def test_guards_of_the_audit_keep_its_interval_true_or_say_that_it_may_not_be() -> None:
    found = audits.measure(60, seed=1)
    assert audits.wrong_in(found, LUCK_OF_60) == []
    by_guard = {row["guard"]: row for row in found}
    for guard in ("random order", "warning by version", "gold and withdrawal", "blindness"):
        assert by_guard[guard]["covered_without"] < 0.7, guard
    skipped = {
        row["labelers"]: row["warned"] for row in found if row["guard"] == "warning of skips"
    }
    assert skipped["skip what is hard"] > 0.95
    assert skipped["skip now and then"] == 0


@pytest.mark.parametrize(("before", "after", "is_real"), [(900, 980, True), (950, 960, False)])
def test_a_difference_is_told_from_chance(before: int, after: int, is_real: bool) -> None:
    found = difference(Share.of(before, 1000), Share.of(after, 1000))
    assert found.low < found.value < found.high
    assert found.is_more_than_chance is is_real


def test_overlapping_intervals_may_still_differ_by_more_than_chance() -> None:
    one, other = Share.of(930, 1000), Share.of(955, 1000)
    assert one.high > other.low
    assert difference(one, other).is_more_than_chance


def test_each_end_of_a_difference_comes_from_the_ends_that_lead_there() -> None:
    """Newcombe's hybrid score interval of 56/70 - 48/80, as he published it in 1998."""
    found = difference(Share(48 / 80, *wilson(48, 80)), Share(56 / 70, *wilson(56, 70)))
    assert found.value == pytest.approx(0.2)
    assert (found.low, found.high) == (
        pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4),
    )  # fmt: skip
