"""How alike one person's drawings are read: an analysis of variance by person and month, pooled
over the whole history. Bootstrapping people would collapse where few drew most. Pure.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# A correlation taken for likely before anything is known, and the number of people whose drawings
# would say as much.
USUAL, USUAL_PEOPLE = 0.05, 10.0
NOTHING = np.zeros(6)


def sums_of_squares(
    values: Floats, authors: NDArray[np.uint64], chances: NDArray[np.int64]
) -> Floats:
    """What an analysis of variance by author adds up, after values of one chance are compared.

    Squares between and within authors, the degrees of freedom of both, the expected weight of the
    variance between, and the number of people who would tell as much if all drew alike, less 1.
    """
    if not len(values):
        return NOTHING
    scaled = np.zeros_like(values)
    for chance in set(chances.tolist()):
        some = chances == chance
        mean, n = values[some].mean(), some.sum()
        spread = (values[some] ** 2).mean() - mean**2
        scaled[some] = (values[some] - mean) / np.sqrt(spread + 1 / (n + 1))
    _, at = np.unique(authors, return_inverse=True)
    counts = np.bincount(at).astype(np.float64)
    between = (np.bincount(at, scaled) ** 2 / counts).sum()
    n, people = len(values), len(counts)
    within, crowd = (scaled**2).sum() - between, (counts**2).sum() / n
    return np.array([between, within, people - 1, n - people, n - crowd, n / crowd - 1])


def correlation(sums: Floats) -> float:
    """The correlation of two drawings by one person; drawn to the usual one by little data."""
    between, within, people, drawings, weight, equals = sums
    noise = within / drawings if drawings else 0.0
    if not noise or not weight:
        return USUAL
    variance = (between - people * noise) / weight
    found = min(max(variance / (max(variance, 0.0) + noise), 0.0), 1.0)
    return float((equals * found + USUAL_PEOPLE * USUAL) / (equals + USUAL_PEOPLE))
