"""Figures of accuracy, estimated from audited drawings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.axes import DIGITS, UNREADABLE
from dashboard.cube.sums import Sum, days_of, every_month, is_random, months, promotions, totals
from dashboard.fields import Counts
from dashboard.figures.difference import difference
from dashboard.figures.figure import ENOUGH, Column, Figure, Share, share_cells, share_columns
from dashboard.figures.sample import (
    Part,
    Sample,
    accuracy_cells,
    by_label,
    parts,
    sampled_from,
    together,
)
from dashboard.filters import ALL, Filters
from labeling.models import Stream

BIASED = (
    "Biased: the queue picks drawings that the model was unsure of or that somebody called wrong,"
    " so accuracy over them is not the accuracy of the model."
)
NOTHING = "No drawing of this kind is labeled yet, so there is no accuracy to show."


def by_month(filters: Filters) -> Figure:
    """Accuracy by month, with promotions as marks."""
    samples = monthly(filters)
    return Figure(
        name="accuracy-by-month",
        title="Accuracy by month",
        sentence=over_time(samples),
        sampled_from=rests_on(filters, samples),
        warning=warning(filters),
        columns=[Column("month", "Month", "month"), *share_columns()],
        rows=[
            [f"{month:%Y-%m}", *accuracy_cells(samples[month])]
            for month in every_month(list(samples))
        ],
        marks=promotions(),
    )


def of_all_labeled(filters: Filters) -> Figure:
    """Accuracy over every labeled drawing. It is biased, so do not judge the model by it."""
    everything = replace(filters, stream=ALL)
    found = by_month(everything)
    return replace(
        found,
        name="accuracy-of-all-labeled",
        title="Accuracy over all labeled drawings",
        sampled_from=f"{found.sampled_from} Not chosen at random.",
        warning=BIASED,
    )


def by_month_and_digit(filters: Filters) -> Figure:
    """Accuracy by month and digit, for a heat map."""
    rows = months(filters, "readings", stream=Stream.AUDIT)
    digits = range(DIGITS) if filters.digit is None else [filters.digit]
    samples: defaultdict[tuple[date, int], Sample] = defaultdict(Sample)
    found = totals(rows, "readings")
    for digit in digits:
        for (month, chance), part in zip(found, parts_of(found, digit), strict=True):
            samples[month, digit].add(chance, part)
    whole = monthly_of(rows, filters)
    listed = [(month, digit) for month in every_month(list(whole)) for digit in digits]
    return Figure(
        name="accuracy-by-month-and-digit",
        title="Accuracy by month and digit",
        sentence=extremes({f"{digit} in {month:%B %Y}": samples[month, digit]
                           for month, digit in listed}),
        sampled_from=rests_on(filters, whole),
        warning=warning(filters),
        columns=[
            Column("month", "Month", "month"), Column("label", "Digit", "digit"), *share_columns(),
        ],
        rows=[
            [f"{month:%Y-%m}", digit, *accuracy_cells(samples[month, digit])]
            for month, digit in listed
        ],
    )  # fmt: skip


def by_digit(filters: Filters) -> Figure:
    """Accuracy by digit over the whole period."""
    rows = months(filters, "readings", stream=Stream.AUDIT)
    digits = range(DIGITS) if filters.digit is None else [filters.digit]
    samples = {digit: Sample() for digit in digits}
    found = totals(rows, "readings")
    for digit in digits:
        for (_, chance), part in zip(found, parts_of(found, digit), strict=True):
            samples[digit].add(chance, part)
    return Figure(
        name="accuracy-by-digit",
        title="Accuracy by digit",
        sentence=extremes({str(digit): sample for digit, sample in samples.items()}),
        sampled_from=rests_on(filters, monthly_of(rows, filters)),
        warning=warning(filters),
        columns=[Column("label", "Digit", "digit"), *share_columns()],
        rows=[[digit, *accuracy_cells(sample)] for digit, sample in samples.items()],
    )


def by_day(filters: Filters) -> Figure:
    """Accuracy by day, with promotions as marks. A day has few labels, so intervals are wide."""
    samples = daily(filters)
    labeled = {day: sample for day, sample in samples.items() if sample.n}
    listed = every_day(labeled)
    return Figure(
        name="accuracy-by-day",
        title="Accuracy by day",
        sentence=over_time(labeled, form="%B %-d, %Y"),
        sampled_from=rests_on(filters, samples),
        warning=warning(filters),
        columns=[Column("day", "Day", "day"), *share_columns()],
        rows=[[day.isoformat(), *accuracy_cells(samples[day])] for day in listed],
        marks=promotions(),
    )


def headline(filters: Filters) -> Figure:
    """Accuracy in the newest and the oldest month, and the change, each as a sentence."""
    samples = {month: sample for month, sample in monthly(filters).items() if sample.n >= ENOUGH}
    tiles: list[list[Any]] = []
    if samples:
        last, first = max(samples), min(samples)
        tiles.append(["now", hundred(last, samples[last]), *accuracy_cells(samples[last])])
        if first != last:
            tiles.append(["then", hundred(first, samples[first]), *accuracy_cells(samples[first])])
            tiles.append(["change", change_between(samples, first, last), *share_cells(0, 0)])
    return Figure(
        name="headline",
        title="In plain words",
        sentence=" ".join(tile[1] for tile in tiles) or NOTHING,
        sampled_from=rests_on(filters, samples),
        warning=warning(filters),
        columns=[
            Column("tile", "Tile", "text"), Column("words", "In words", "text"), *share_columns()
        ],
        rows=tiles,
        marks=promotions(),
    )  # fmt: skip


def true_by_predicted(filters: Filters) -> Figure:
    """The confusion matrix: a row for each label, a column for each digit the model read."""
    found = months(filters, "readings", stream=Stream.AUDIT)
    samples = monthly_of(found, filters)
    whole = together(samples.values())
    counts, drawings = np.zeros((10, 12), np.int64), np.zeros((10, 12))
    for (_, chance), readings in totals(found, "readings").items():
        counts += readings.sum(axis=2)
        drawings += readings.sum(axis=2) * whole.weight_of(chance)
    labels = range(DIGITS) if filters.digit is None else [filters.digit]
    rows = []
    for label in labels:
        total, of_label = int(counts[:, label].sum()), float(drawings[:, label].sum())
        for predicted in range(DIGITS):
            share = float(drawings[predicted, label]) / of_label if of_label else None
            count = int(counts[predicted, label])
            rows.append([label, predicted, count, total, share, total >= ENOUGH])
    return Figure(
        name="true-by-predicted",
        title="What each digit was read as",
        sentence=confused(counts, drawings),
        sampled_from=sampled_from(whole, is_random=is_random(filters)),
        warning=warning(filters),
        columns=[
            Column("label", "It was", "digit"),
            Column("predicted", "Read as", "digit"),
            Column("count", "Drawings", "count"),
            Column("n", "Drawings of the digit", "count"),
            Column("share", "Share of the digit", "share"),
            Column("enough", "Enough labels", "yesno"),
        ],
        rows=rows,
    )


# -- samples ------------------------------------------------------------------------------------


def daily(filters: Filters) -> defaultdict[date, Sample]:
    samples: defaultdict[date, Sample] = defaultdict(Sample)
    rows = months(filters, "days", stream=Stream.AUDIT)
    for (month, chance), counts in totals(rows, "days").items():
        for day, part in zip(days_of(month), parts(counts, filters.digit), strict=False):
            if part.drawings:
                samples[day].add(chance, part)
    return samples


def monthly(filters: Filters) -> defaultdict[date, Sample]:
    return monthly_of(months(filters, "readings", stream=Stream.AUDIT), filters)


def monthly_of(rows: Sequence[Sum], filters: Filters) -> defaultdict[date, Sample]:
    samples: defaultdict[date, Sample] = defaultdict(Sample)
    found = totals(rows, "readings")
    for (month, chance), part in zip(found, parts_of(found, filters.digit), strict=True):
        samples[month].add(chance, part)
    return samples


def parts_of(found: Mapping[tuple[date, int], Counts], digit: int | None) -> list[Part]:
    return parts(by_label(np.stack(list(found.values()))), digit) if found else []


def every_day(labeled: Mapping[date, Sample]) -> list[date]:
    """All days from the first to the last, also those without labels."""
    if not labeled:
        return []
    first, last = min(labeled), max(labeled)
    return [first + timedelta(days=at) for at in range((last - first).days + 1)]


# -- words --------------------------------------------------------------------------------------


def rests_on(filters: Filters, samples: Mapping[date, Sample]) -> str:
    return sampled_from(together(samples.values()), is_random=is_random(filters))


def warning(filters: Filters) -> str:
    return "" if is_random(filters) else BIASED


def over_time(samples: Mapping[date, Sample], form: str = "%B %Y") -> str:
    labeled = {when: sample for when, sample in samples.items() if sample.n}
    if not labeled:
        return NOTHING
    first, last = min(labeled), max(labeled)
    said = [of_hundred(f"in {last:{form}}", labeled[last])]
    if first != last:
        said.append(of_hundred(f"in {first:{form}}", labeled[first]))
    return "Of 100 drawings, " + "; ".join(said) + "."


def of_hundred(when: str, sample: Sample) -> str:
    share = sample.share
    assert share is not None
    return f"{hundredths(share.value)} were read right {when} ({in_between(share, sample.n)})"


def in_between(share: Share, n: int) -> str:
    return f"95 % sure between {hundredths(share.low)} and {hundredths(share.high)}, n = {n:,}"


def hundredths(share: float) -> str:
    """Of 100: whole between 5 and 95, else with a decimal; never 100 for less than all."""
    number = 100 * share
    if number in {0.0, 100.0} or 5 < number < 95:
        return f"{number:.0f}"
    return f"{min(number, 99.9):.1f}".removesuffix(".0")


def hundred(month: date, sample: Sample) -> str:
    share = sample.share
    assert share is not None
    return f"Of 100 drawings in {month:%B %Y}, {hundredths(share.value)} were read right."


def change_between(samples: Mapping[date, Sample], first: date, last: date) -> str:
    before, after = samples[first].share, samples[last].share
    assert before is not None
    assert after is not None
    found = difference(before, after)
    way = "better" if found.value > 0 else "worse"
    points = f"{100 * abs(found.value):.1f}".removesuffix(".0")
    return f"That is {points} of 100 {way} than in {first:%B %Y}: {found.in_words}."


def extremes(samples: Mapping[str, Sample]) -> str:
    """The best and the worst read of those with enough labels, as a sentence."""
    told = {name: share for name, sample in samples.items()
            if sample.n >= ENOUGH and (share := sample.share)}  # fmt: skip
    if not told:
        return f"None has {ENOUGH} labels yet: too few to tell them apart."
    best = max(told, key=lambda name: told[name].value)
    worst = min(told, key=lambda name: told[name].value)
    return (
        f"Best read: {best}, {hundredths(told[best].value)} of 100"
        f" ({in_between(told[best], samples[best].n)}). Worst read: {worst},"
        f" {hundredths(told[worst].value)} of 100 ({in_between(told[worst], samples[worst].n)})."
    )


def confused(counts: Counts, drawings: NDArray[np.float64]) -> str:
    """The most frequent mistake, as a sentence; both are (predicted, label).

    `counts` are labels, `drawings` what they stand for.
    """
    readable = drawings[:, :UNREADABLE]
    if not readable.any():
        return NOTHING
    wrong = readable - np.diag(readable.diagonal())
    predicted, label = np.unravel_index(int(wrong.argmax()), wrong.shape)
    right = hundredths(1 - float(wrong.sum() / readable.sum()))
    said = f"Of 100 drawings {right} lie on the diagonal, where they are right."
    if not wrong.any():
        return said
    return (
        f"{said} The most frequent mistake: a {label} read as {predicted},"
        f" {int(counts[predicted, label]):,} times."
    )
