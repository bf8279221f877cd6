"""Accuracy with intervals, by digit, confusion matrix and calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictions.shares import wilson

BINS = 15  # of confidence, equally wide


@dataclass(frozen=True, slots=True)
class MeasuredShare:
    """A share of n, with Wilson's 95% interval."""

    right: int
    n: int

    @property
    def value(self) -> float | None:
        return self.right / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float]:
        if not self.n:
            return 0.0, 1.0
        return wilson(self.right, self.n)

    def as_json(self) -> dict[str, Any]:
        return {"value": self.value, "right": self.right, "n": self.n, "interval": self.interval}


@dataclass(frozen=True, slots=True)
class ReadingReport:
    """How well digits were read."""

    accuracy: MeasuredShare
    by_digit: tuple[MeasuredShare, ...]  # ten, by label
    confusion: NDArray[np.int64]  # (10, 10), rows the label, columns what was read
    calibration_error: float  # expected, over bins of confidence
    mean_confidence: float
    bins: tuple[
        tuple[float, MeasuredShare], ...
    ]  # mean confidence in each filled bin, and its accuracy

    def as_json(self) -> dict[str, Any]:
        return {
            "accuracy": self.accuracy.as_json(),
            "by_digit": [share.as_json() for share in self.by_digit],
            "confusion": self.confusion.tolist(),
            "calibration_error": self.calibration_error,
            "mean_confidence": self.mean_confidence,
        }


def reading_report(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> ReadingReport:
    """Compare probabilities, (N, 10), with labels, (N,)."""
    read = probabilities.argmax(axis=1)
    right = read == labels
    confusion = np.zeros((10, 10), dtype=np.int64)
    np.add.at(confusion, (labels, read), 1)
    confidences = probabilities.max(axis=1) if len(probabilities) else np.zeros(0)
    bins = _bins(confidences, right)
    gaps = [abs(mean - share.right / share.n) * share.n for mean, share in bins]
    return ReadingReport(
        accuracy=MeasuredShare(int(right.sum()), len(labels)),
        by_digit=tuple(
            MeasuredShare(int(confusion[d, d]), int(confusion[d].sum())) for d in range(10)
        ),
        confusion=confusion,
        calibration_error=float(sum(gaps) / max(1, len(labels))),
        mean_confidence=float(confidences.mean()) if len(labels) else 0.0,
        bins=bins,
    )


def _bins(
    confidences: NDArray[np.float64], right: NDArray[np.bool_]
) -> tuple[tuple[float, MeasuredShare], ...]:
    which = np.minimum((confidences * BINS).astype(int), BINS - 1)
    return tuple(
        (float(confidences[which == b].mean()), MeasuredShare(int(right[which == b].sum()), int(n)))
        for b, n in enumerate(np.bincount(which, minlength=BINS))
        if n
    )
