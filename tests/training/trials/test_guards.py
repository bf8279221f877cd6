"""What MNIST must not lose."""

from __future__ import annotations

import pytest

from training.trials.guards import refusals


@pytest.mark.parametrize(
    ("mended", "broken", "lost_of_sevens", "said"),
    [
        (10, 25, 10, []),
        (10, 26, 10, ["15 may be lost on balance"]),
        (30, 40, 11, ["11 of MNIST's images of 7"]),
        (0, 16, 11, ["15 may be lost on balance", "11 of MNIST's images of 7"]),
    ],
)
def test_losses_are_counted_on_balance_over_all_and_for_each_digit(
    mended: int, broken: int, lost_of_sevens: int, said: list[str]
):
    lost = [lost_of_sevens if digit == 7 else 0 for digit in range(10)]
    found = refusals(
        {
            "n": 10_000, "mended": mended, "broken": broken, "lost_by_digit": lost,
            "calibration": {"before": 0.01, "after": 0.01, "is_worse": False},
        }
    )  # fmt: skip
    assert len(found) == len(said)
    assert all(words in sentence for words, sentence in zip(said, found, strict=True))


def test_confidence_that_means_less_is_refused():
    (said,) = refusals(
        {
            "n": 10_000, "mended": 0, "broken": 0, "lost_by_digit": [0] * 10,
            "calibration": {"before": 0.01, "after": 0.06, "is_worse": True},
        }
    )  # fmt: skip
    assert "misses its accuracy by 6.0 points, the live version's by 1.0" in said
