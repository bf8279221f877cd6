"""Figures of confidence, and of its agreement with accuracy."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.axes import BINS, DIGITS, EDGES, MILLION
from dashboard.cube.sums import every_month, is_random, months, totals
from dashboard.fields import Counts
from dashboard.figures import sentences
from dashboard.figures.accuracy import BIASED
from dashboard.figures.figure import Column, Figure, share_columns
from dashboard.figures.sample import (
    Part,
    Sample,
    accuracy_cells,
    by_label,
    parts,
    sampled_from,
)
from dashboard.filters import Filters
from labeling.models import Stream

TENTHS = [round(at / 10, 1) for at in range(11)]
TENTH_OF_BIN = [TENTHS.index(max(t for t in TENTHS if t <= edge)) for edge in EDGES[:-1]]
SPREAD = [
    Column("drawings", "Drawings", "count"),
    Column("mean", "Mean confidence", "share"),
    Column("low", "A quarter below", "share"),
    Column("median", "Half below", "share"),
    Column("high", "A quarter above", "share"),
]
BY_READING = "Digits are those the model read."
MOST_NINES = 4  # the density ends at 99.99 %: higher ones count as below it
NINES = [at / 10 for at in range(10 * MOST_NINES + 1)]  # powers of ten of 1 / (1 - confidence)
KERNEL = 0.15  # standard deviation, in such powers
KERNEL_IN_WORDS = (
    f"Smoothed with a normal kernel; its standard deviation is {KERNEL} of the distance from 90% to"
    " 99%. Drawings count as spread evenly within each of 20 bins."
)


def histogram(filters: Filters) -> Figure:
    """The number of drawings by month and tenth of confidence."""
    found, rows = bins_by_month(filters), []
    for month in every_month(list(found)):
        counts = np.bincount(TENTH_OF_BIN, found[month], minlength=10)
        total = int(counts.sum())
        rows += [
            [
                f"{month:%Y-%m}", TENTHS[at], TENTHS[at + 1], int(counts[at]),
                counts[at] / total if total else None,
            ]
            for at in range(10)
        ]  # fmt: skip
    return Figure(
        name="confidence-histogram-by-month",
        title="Confidence by month, counted",
        sentence=sentences.sure(found, filters),
        sampled_from=sentences.everything(drawings_in(found.values()), filters),
        columns=[
            Column("month", "Month", "month"),
            Column("low", "Confidence from", "number"),
            Column("high", "to", "number"),
            Column("count", "Drawings", "count"),
            Column("share", "Of the month's drawings", "share"),
        ],
        rows=rows,
    )


def density(filters: Filters) -> Figure:
    """The density of confidence in each month, over an axis on which 90 % is as far from 99 % as
    that from 99.9 %."""
    found, rows = bins_by_month(filters), []
    for month in every_month(list(found)):
        total = int(found[month].sum())
        heights = SMOOTHED @ found[month] / total if total else [None] * len(NINES)
        rows += [
            [f"{month:%Y-%m}", round(1 - 10**-nines, 6), height and round(float(height), 4)]
            for nines, height in zip(NINES, heights, strict=True)
        ]
    return Figure(
        name="confidence-density-by-month",
        title="Confidence by month, as a density",
        sentence=sentences.sure(found, filters),
        sampled_from=f"{sentences.everything(drawings_in(found.values()), filters)}"
        f" {KERNEL_IN_WORDS}",
        columns=[
            Column("month", "Month", "month"),
            Column("confidence", "Confidence", "number"),
            Column("density", "Density", "number"),
        ],
        rows=rows,
    )


def kernel_of_bins() -> NDArray[np.float64]:
    """(point, bin): the density at each of NINES of one drawing that is anywhere in the bin.

    What the normal kernel would put beyond the ends is mirrored, so that the whole area is 1.
    """
    edges = [-math.log10(1 - min(edge, 1 - 10**-MOST_NINES)) for edge in EDGES]

    def below(x: float) -> float:
        return (1 + math.erf(x / KERNEL / math.sqrt(2))) / 2

    def at(x: float, low: float, high: float) -> float:
        return sum(
            (below(mirrored - low) - below(mirrored - high)) / (high - low)
            for mirrored in (x, -x, 2 * MOST_NINES - x)
        )

    return np.array([[at(x, *ends) for ends in pairwise(edges)] for x in NINES])


def over_months(filters: Filters) -> Figure:
    """Mean and quartiles of confidence by month."""
    counts, totals = monthly_bins(filters)
    return Figure(
        name="confidence-by-month",
        title="Confidence by month",
        sentence=sentences.mean_confidence(
            {f"{month:%B %Y}": (totals[month], counts[month].sum()) for month in counts}
        ),
        sampled_from=sentences.everything(drawings_in(counts.values()), filters),
        columns=[Column("month", "Month", "month"), *SPREAD],
        rows=[
            [f"{month:%Y-%m}", *shares_of_bins(counts[month], totals[month])]
            for month in every_month(list(counts))
        ],
    )


def over_digits(filters: Filters) -> Figure:
    """Mean and quartiles of confidence by the digit read."""
    rows = months(filters, "confidences", "confidence")
    counts = sum((each["confidences"] for each in rows), np.zeros((DIGITS, BINS), np.int64))
    totals = sum((each["confidence"] for each in rows), np.zeros(DIGITS, np.int64))
    return Figure(
        name="confidence-by-digit",
        title="Confidence by digit",
        sentence=sentences.mean_confidence(
            {f"digit {digit}": (totals[digit], counts[digit].sum()) for digit in filters.digits}
        ),
        sampled_from=sentences.everything(drawings_in(counts[[*filters.digits]]), filters),
        columns=[Column("predicted", "Read as", "digit"), *SPREAD],
        rows=[[digit, *shares_of_bins(counts[digit], totals[digit])] for digit in filters.digits],
    )


def reliability(filters: Filters) -> Figure:
    """Calibration: the accuracy of drawings in each bin of confidence."""
    rows = months(filters, "readings", "judged", "judged_confidence", stream=Stream.AUDIT)
    readings, judged, confidence = (
        totals(rows, name) for name in ("readings", "judged", "judged_confidence")
    )
    whole, samples = Sample(), [Sample() for _ in range(BINS)]
    for key, counts in readings.items():
        (part,) = parts(by_label(counts[np.newaxis]))
        of_bins = of_digit(judged[key], filters)
        for sample, (n, right) in zip(
            [whole, *samples], [of_bins.sum(axis=0), *of_bins], strict=True
        ):
            sample.add(key[1], Part(part.drawings, part.labeled, int(n), int(right)))
    drawings, sums = np.zeros(BINS), np.zeros(BINS)
    for key, counts in confidence.items():
        weight = whole.weight_of(key[1])
        drawings += weight * of_digit(judged[key], filters)[:, 0]
        sums += weight * of_digit(counts, filters)
    told = []
    for at, sample in enumerate(samples):
        mean = float(sums[at] / MILLION / drawings[at]) if sample.n else None
        told.append([EDGES[at], EDGES[at + 1], mean, *accuracy_cells(sample)])
    return Figure(
        name="reliability",
        title="May one believe its confidence?",
        sentence=sentences.about_calibration(told, drawings, whole),
        sampled_from=f"{sampled_from(whole, is_random=is_random(filters))} {BY_READING}",
        warning="" if is_random(filters) else BIASED,
        columns=[
            Column("from", "Confidence from", "number"),
            Column("to", "to", "number"),
            Column("mean", "Mean confidence", "share"),
            *share_columns(),
        ],
        rows=told,
    )


SMOOTHED = kernel_of_bins()

# -- counts -------------------------------------------------------------------------------------


def bins_by_month(filters: Filters) -> dict[date, Counts]:
    """The number of drawings in each bin, by month: arrays of shape (BINS,)."""
    return monthly_bins(filters)[0]


def monthly_bins(filters: Filters) -> tuple[dict[date, Counts], dict[date, int]]:
    """By month: drawings in each bin, and their sum of confidence in millionths."""
    counts: defaultdict[date, Counts] = defaultdict(lambda: np.zeros(BINS, np.int64))
    totals: defaultdict[date, int] = defaultdict(int)
    for each in months(filters, "confidences", "confidence"):
        counts[each.month] += of_digit(each["confidences"], filters)
        totals[each.month] += int(of_digit(each["confidence"], filters))
    return counts, totals


def drawings_in(counts: Iterable[Counts]) -> int:
    return int(sum(each.sum() for each in counts))


def of_digit(counts: Counts, filters: Filters) -> Counts:
    """The counts of the filtered digit, as the model read it; without a filter, of all digits."""
    return counts.sum(axis=0) if filters.digit is None else counts[filters.digit]


def shares_of_bins(counts: Counts, total: int) -> list[Any]:
    n = int(counts.sum())
    if not n:
        return [0, None, None, None, None]
    return [n, int(total) / MILLION / n, *(quantile(counts, share) for share in (0.25, 0.5, 0.75))]


def quantile(counts: Counts, share: float) -> float:
    """A quantile of confidence, interpolated as if drawings were spread evenly within a bin."""
    running = np.concatenate([[0], np.cumsum(counts)])
    return round(float(np.interp(share * running[-1], running, EDGES)), 4)
