"""Do the intervals tell the truth? The bench measures it; a quick look at every change."""

from __future__ import annotations

import pytest

from dashboard.figures.difference import difference
from dashboard.figures.figure import Share
from tests.bench.intervals import measure


def test_intervals_of_audits_and_differences_hold_the_truth_and_the_biased_one_does_not() -> None:
    found = measure(120, seed=1)
    for name in ("audit", "audit, rate changed", "difference", "equal months"):
        assert 0.9 <= found[name].share <= 0.99, name
    assert found["all labeled"].share < 0.1


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
    found = difference(Share.of(48, 80), Share.of(56, 70))
    assert found.value == pytest.approx(0.2)
    assert (found.low, found.high) == (
        pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4),
    )  # fmt: skip
