"""Guards of a trial: what a candidate must not lose, however well it reads new drawings.

MNIST's test set stands for people whose hands this installation has not seen. It is a fixed set, so
its losses are counted, not tested. Calibration is compared on MNIST and on labeled audits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from training.engine.mnist import decoded_test_set
from training.trials.shadow import Networks, probabilities

MOST_LOST = 15  # of MNIST's 10,000 images, on balance
MOST_LOST_OF_A_DIGIT = 10  # of about 1,000
CALIBRATION_MARGIN = 0.02  # growth of the expected calibration error
LEAST_AUDITS = 100  # labeled ones, to compare calibration on them
BINS = 15  # of confidence, equally wide
RESAMPLES = 300  # for the uncertainty of the calibration
SURE = 0.95

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


def measure(
    networks: Networks, each_pass: Callable[[], object] = lambda: None
) -> dict[str, Any] | None:
    """How both versions read MNIST's test set; None if its files are not on this host."""
    found = decoded_test_set(settings.MNIST_DIR)
    if found is None:
        return None
    glyphs, labels = found
    both = (networks.candidate, networks.live)
    after, before = (probabilities(each, glyphs, each_pass) for each in both)
    is_right, was_right = (read.argmax(1) == labels for read in (after, before))
    lost = np.bincount(labels[was_right & ~is_right], minlength=10)
    mended = np.bincount(labels[is_right & ~was_right], minlength=10)
    return {
        "against": networks.keys[1],
        "n": len(labels),
        "mended": int(mended.sum()),
        "broken": int(lost.sum()),
        "lost_by_digit": (lost - mended).tolist(),
        "wrong_before": int((~was_right).sum()),
        "calibration": calibration(before.max(1), was_right, after.max(1), is_right),
    }


def refusals(base: dict[str, Any]) -> list[str]:
    """Why a candidate may not go live, from how it reads MNIST; empty if nothing speaks against."""
    said = []
    lost = base["broken"] - base["mended"]
    if lost > MOST_LOST:
        said.append(f"It {base_in_words(base)}; {MOST_LOST} may be lost on balance.")
    for digit, count in enumerate(base["lost_by_digit"]):
        if count > MOST_LOST_OF_A_DIGIT:
            said.append(
                f"On balance it loses {count} of MNIST's images of {digit}; "
                f"{MOST_LOST_OF_A_DIGIT} may be lost."
            )
    if base["calibration"]["is_worse"]:
        said.append(f"On MNIST {calibration_in_words(base['calibration'])}.")
    return said


def base_in_words(base: dict[str, Any]) -> str:
    return f"mended {base['mended']} and broke {base['broken']} of MNIST's {base['n']:,} images"


# -- calibration ----------------------------------------------------------------------------------


def calibration(
    before: Floats, was_right: Bools, after: Floats, is_right: Bools, weights: Floats | None = None
) -> dict[str, Any]:
    """Calibration errors before and after, and whether they grew too much, beyond chance."""
    weights = np.ones(len(before), np.float32) if weights is None else weights

    def rise(drawn: Floats) -> float:
        return calibration_error(after, is_right, drawn) - calibration_error(
            before, was_right, drawn
        )

    is_worse = rise(weights) > CALIBRATION_MARGIN and lower_limit(rise, weights) > 0
    return {
        "before": calibration_error(before, was_right, weights),
        "after": calibration_error(after, is_right, weights),
        "is_worse": is_worse,
    }


def calibration_in_words(found: dict[str, Any]) -> str:
    before, after = (f"{100 * found[when]:.1f}" for when in ("before", "after"))
    return f"its confidence misses its accuracy by {after} points, the live version's by {before}"


def calibration_error(confidence: Floats, is_right: Bools, weights: Floats) -> float:
    """The mean difference of confidence and accuracy over bins of confidence."""
    total = float(weights.sum())
    if not total:
        return 0.0
    which = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    return float(np.abs(np.bincount(which, (confidence - is_right) * weights, BINS)).sum()) / total


def lower_limit(rise: Callable[[Floats], float], weights: Floats) -> float:
    """A lower limit of a rise, from resampled items with a fixed seed."""
    n, dice = len(weights), np.random.default_rng(len(weights))
    drawn = (np.bincount(dice.integers(0, n, n), minlength=n) for _ in range(RESAMPLES))
    return float(np.quantile([rise(weights * times) for times in drawn], 1 - SURE))
