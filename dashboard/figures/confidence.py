"""Figures of confidence, and of its agreement with accuracy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any

import numpy as np

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
    share = Column("share", "Of the month's drawings", "share")
    return in_bins("confidence-histogram-by-month", "counted", found, rows, share, filters)


def density(filters: Filters) -> Figure:
    """The density of confidence in each month, in bins that are narrower near 1."""
    found, rows = bins_by_month(filters), []
    for month in every_month(list(found)):
        total = int(found[month].sum())
        for at in range(BINS):
            count, width = int(found[month][at]), EDGES[at + 1] - EDGES[at]
            rows.append(
                [
                    f"{month:%Y-%m}", EDGES[at], EDGES[at + 1], count,
                    round(count / total / width, 6) if total else None,
                ]
            )  # fmt: skip
    height = Column("density", "Density", "number")
    return in_bins("confidence-density-by-month", "as a density", found, rows, height, filters)


def in_bins(
    name: str,
    how: str,
    found: dict[date, Counts],
    rows: list[list[Any]],
    last: Column,
    filters: Filters,
) -> Figure:
    """A row for each month and bin; the last column is what its chart draws."""
    return Figure(
        name=name,
        title=f"Confidence by month, {how}",
        sentence=sentences.sure(found, filters),
        sampled_from=sentences.everything(drawings_in(found.values()), filters),
        columns=[
            Column("month", "Month", "month"),
            Column("low", "Confidence from", "number"),
            Column("high", "to", "number"),
            Column("count", "Drawings", "count"),
            last,
        ],
        rows=rows,
    )


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
    digits = range(DIGITS) if filters.digit is None else [filters.digit]
    return Figure(
        name="confidence-by-digit",
        title="Confidence by digit",
        sentence=sentences.mean_confidence(
            {str(digit): (totals[digit], counts[digit].sum()) for digit in digits}
        ),
        sampled_from=sentences.everything(drawings_in(counts[[*digits]]), filters),
        columns=[Column("predicted", "Read as", "digit"), *SPREAD],
        rows=[[digit, *shares_of_bins(counts[digit], totals[digit])] for digit in digits],
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
        sentence=sentences.calibration(told, drawings, whole),
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


# -- counts -------------------------------------------------------------------------------------


def bins_by_month(filters: Filters) -> dict[date, Counts]:
    """The number of drawings in each bin, by month: arrays of shape (BINS,)."""
    found: defaultdict[date, Counts] = defaultdict(lambda: np.zeros(BINS, np.int64))
    for each in months(filters, "confidences"):
        found[each.month] += of_digit(each["confidences"], filters)
    return found


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
