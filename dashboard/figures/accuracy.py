"""Figures of accuracy, estimated from audited drawings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import product
from typing import Any

import numpy as np

from dashboard.axes import DIGITS, UNLABELED
from dashboard.cube.authors import Authors
from dashboard.cube.shared import read_once
from dashboard.cube.sums import (
    Sum,
    authors_by_month,
    authors_of,
    days_of,
    every_month,
    filtered_months,
    is_random,
    months,
    promotions,
    totals,
)
from dashboard.fields import Counts
from dashboard.figures import sentences
from dashboard.figures.audits import Missing, ceiling, lopsided
from dashboard.figures.figure import ENOUGH, Column, Figure, share_cells, share_columns
from dashboard.figures.periods import LONGEST_DAILY, MOST_TOLD_APART, PERIOD, Period, periods_of
from dashboard.figures.sample import (
    Part,
    Sample,
    accuracy_cells,
    by_label,
    parts,
    sampled_from,
    together,
)
from dashboard.figures.words import span_in_words
from dashboard.filters import ALL, Filters
from dashboard.models import MissingAudits, Replay
from labeling.models import Stream
from predictions.database.slices import chunks
from predictions.months import month_of

# Figures that say who drew their drawings; the replay's worker counts that.
WITH_AUTHORS = (
    "headline", "accuracy-by-month", "accuracy-by-month-and-digit", "accuracy-by-digit",
    "accuracy-by-day", "true-by-predicted",
)  # fmt: skip
BIASED = (
    "Biased: the queue picks drawings that the model was unsure of or that somebody called wrong,"
    " so accuracy over them is not the accuracy of the model."
)
WINDOW = timedelta(days=28)  # whole weeks, since people draw otherwise on weekends


def by_month(filters: Filters) -> Figure:
    """Accuracy by month, with promotions as marks."""
    found = months(filters, "readings", stream=Stream.AUDIT)
    samples = monthly_of(found, filters)
    return Figure(
        name="accuracy-by-month",
        title="Accuracy by month",
        sentence=sentences.over_time(samples, filters),
        **basis(filters, samples.values(), found, tells_ceiling=True),
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
    """Accuracy by month and digit, for a heat map; by quarter where months have few labels."""
    rows = months(filters, "readings", stream=Stream.AUDIT)
    whole, read = monthly_of(rows, filters), read_by_digit(rows, filters)
    counts: Counter[tuple[date, int]] = Counter()
    for digit, month, _, part in read:
        counts[month, digit] += part.n
    period_of = periods_of(
        list(every_month(list(whole))), filter(None, counts.values()), most=MOST_TOLD_APART
    )
    samples: defaultdict[tuple[Period, int], Sample] = defaultdict(Sample)
    for digit, month, chance, part in read:
        samples[period_of[month], digit].add(chance, part)
    listed = list(product(dict.fromkeys(period_of.values()), filters.digits))
    return Figure(
        name="accuracy-by-month-and-digit",
        title="Accuracy by month and digit",
        sentence=sentences.extremes({
            f"digit {digit} in {months_in_words(period)}": samples[period, digit]
            for period, digit in listed
        }),
        **basis(filters, whole.values(), rows),
        columns=[
            *PERIOD, Column("label", "Digit", "digit"), *share_columns(),
        ],
        rows=[
            [*months_of(period), digit, *accuracy_cells(samples[period, digit])]
            for period, digit in listed
        ],
    )  # fmt: skip


def by_digit(filters: Filters) -> Figure:
    """Accuracy by digit over the whole period."""
    rows = months(filters, "readings", stream=Stream.AUDIT)
    samples = {digit: Sample() for digit in filters.digits}
    for digit, _, chance, part in read_by_digit(rows, filters):
        samples[digit].add(chance, part)
    return Figure(
        name="accuracy-by-digit",
        title="Accuracy by digit",
        sentence=sentences.extremes(
            {f"digit {digit}": sample for digit, sample in samples.items()}
        ),
        **basis(filters, monthly_of(rows, filters).values(), rows),
        columns=[Column("label", "Digit", "digit"), *share_columns()],
        rows=[[digit, *accuracy_cells(sample)] for digit, sample in samples.items()],
    )


def by_day(filters: Filters) -> Figure:
    """Accuracy of the 28 days up to each day, with promotions as marks; and each day's own labels.

    After two years there is a row for each week.
    """
    samples = daily(filters)
    labeled = {day: sample for day, sample in samples.items() if sample.n}
    return Figure(
        name="accuracy-by-day",
        title="Accuracy by day, over 28 days",
        sentence=sentences.over_time(by_month_of(labeled), filters),
        **basis(filters, samples.values(), authors=authors_of(filters)),
        columns=[
            Column("day", "Day", "day"),
            *share_columns(),
            Column("since", "New labels since", "day"),
            Column("new", "New labels", "count"),
            Column("new_share", "Of them right", "share"),
        ],
        rows=rolling(samples, every_day(labeled)),
        marks=promotions(),
    )


def rolling(samples: Mapping[date, Sample], days: Sequence[date]) -> list[list[Any]]:
    """The rows of `by_day`."""
    if not days:
        return []
    # Drawings before the first labeled day belong to the 28 days, too.
    early = [days[0] - timedelta(days=at) for at in range(1, WINDOW.days)]
    running, rows = of_days(samples, early), []
    for span in chunks(days, 1 if len(days) <= LONGEST_DAILY else 7):
        new = of_days(samples, span)
        running.merge(new)
        running.merge(of_days(samples, [day - WINDOW for day in span if day > days[0]]), times=-1)
        share = new.right / new.n if new.n else None
        own = [span[0].isoformat(), new.n, share]
        rows.append([span[-1].isoformat(), *accuracy_cells(running), *own])
    return rows


def of_days(samples: Mapping[date, Sample], days: Sequence[date]) -> Sample:
    return together(samples[day] for day in days if day in samples)


def headline(filters: Filters) -> Figure:
    """Accuracy in the newest and the oldest month, and the change, each as a sentence."""
    found = months(filters, "readings", stream=Stream.AUDIT)
    samples = monthly_of(found, filters)
    rows = [
        [
            name,
            words,
            f"{month:%Y-%m}",
            *(share_cells(0, 0) if name == "change" else accuracy_cells(samples[month])),
        ]
        for name, (month, words) in sentences.headlines(samples, filters).items()
    ]
    return Figure(
        name="headline",
        title="In plain words",
        sentence=" ".join(row[1] for row in rows) or sentences.too_few(samples, filters),
        **basis(filters, samples.values(), found),
        columns=[
            Column("tile", "Tile", "text"), Column("words", "In words", "text"),
            Column("month", "Month", "month"), *share_columns(),
        ],
        rows=rows,
        marks=promotions(),
    )  # fmt: skip


def months_with_enough(filters: Filters) -> list[date]:
    """The months whose accuracy can be told, oldest first; the last one is "now" on every page."""
    return sorted(sentences.with_enough(monthly(filters)))


def true_by_predicted(filters: Filters) -> Figure:
    """The confusion matrix: a row for each label, a column for each digit the model read."""
    found = months(filters, "readings", stream=Stream.AUDIT)
    samples = monthly_of(found, filters)
    whole = together(samples.values())
    counts, drawings = np.zeros((10, 12), np.int64), np.zeros((10, 12))
    for (_, chance), readings in totals(found, "readings").items():
        counts += readings.sum(axis=2)
        drawings += readings.sum(axis=2) * whole.weight_of(chance)
    others = [label for label in range(DIGITS) if label not in filters.digits]
    counts[:, others], drawings[:, others] = 0, 0
    rows = []
    for label in filters.digits:
        total, of_label = int(counts[:, label].sum()), float(drawings[:, label].sum())
        for predicted in range(DIGITS):
            share = float(drawings[predicted, label]) / of_label if of_label else None
            count = int(counts[predicted, label])
            rows.append([label, predicted, count, total, share, total >= ENOUGH])
    return Figure(
        name="true-by-predicted",
        title="What each digit was read as",
        sentence=sentences.confused(counts, drawings, whole, filters),
        **basis(filters, [whole], found),
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
    for month, authors in authors_by_month(filters).items():
        if month in samples:
            samples[month].authors = authors
    return samples


def by_month_of(samples: Mapping[date, Sample]) -> dict[date, Sample]:
    """Days' samples put together by month."""
    found: defaultdict[date, list[Sample]] = defaultdict(list)
    for day, sample in samples.items():
        found[month_of(day)].append(sample)
    return {month: together(some) for month, some in found.items()}


def parts_of(found: Mapping[tuple[date, int], Counts], digit: int | None) -> list[Part]:
    return parts(by_label(np.stack(list(found.values()))), digit) if found else []


def read_by_digit(rows: Sequence[Sum], filters: Filters) -> list[tuple[int, date, int, Part]]:
    """The counts of each digit, month and chance of being audited."""
    found = totals(rows, "readings")
    return [
        (digit, month, chance, part)
        for digit in filters.digits
        for (month, chance), part in zip(found, parts_of(found, digit), strict=True)
    ]


def every_day(labeled: Mapping[date, Sample]) -> list[date]:
    """All days from the first to the last, also those without labels."""
    if not labeled:
        return []
    first, last = min(labeled), max(labeled)
    return [first + timedelta(days=at) for at in range((last - first).days + 1)]


def basis(
    filters: Filters,
    samples: Iterable[Sample],
    rows: Sequence[Sum] = (),
    *,
    authors: Authors | None = None,
    tells_ceiling: bool = False,
) -> dict[str, Any]:
    """What a figure of these samples was sampled from, and why it is biased or may be.

    `rows` are their months; `authors` drew them, where the samples do not say it.
    """
    whole = together(samples)
    whole.authors = whole.authors or authors
    if not is_random(filters):
        return {"sampled_from": sampled_from(whole, is_random=False), "warning": BIASED}
    missing = missing_of(filters)
    said = sampled_from(whole, is_random=True, missing=missing)
    warning = missing.warning or labeled_by_version(rows)
    return {"sampled_from": said + (highest() if tells_ceiling else ""), "warning": warning}


def months_of(period: Period) -> list[str]:
    return [f"{month:%Y-%m}" for month in period]


def months_in_words(period: Period) -> str:
    return span_in_words(*months_of(period))


def labeled_by_version(rows: Sequence[Sum]) -> str:
    """A warning about the newest month in which not all versions' audits are labeled alike."""
    counts: defaultdict[date, defaultdict[str, list[int]]]
    counts = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for each in rows:
        of_version = counts[each.month][each.version]
        of_version[0] += int(each["readings"].sum())
        of_version[1] += int(each["readings"][:, :UNLABELED].sum())
    for month in sorted(counts, reverse=True):
        by_version = {name: (audits, labeled) for name, (audits, labeled) in counts[month].items()}
        if said := lopsided(by_version):
            return f"{month:%B %Y}: {said}"
    return ""


def missing_of(filters: Filters) -> Missing:
    """What became of the period's audits, whatever else the filters ask for."""
    return read_once(("missing", filters.first, filters.last), lambda: read_missing(filters))


def read_missing(filters: Filters) -> Missing:
    rows = filtered_months(MissingAudits.objects.all(), filters)
    return Missing.total(Missing._make(row) for row in rows.values_list(*Missing._fields))


def highest() -> str:
    """How high an accuracy can read with labels as they are, or nothing."""
    gold = Replay.objects.values_list("gold_wrong", "gold_answers").first()
    said = ceiling(*gold) if gold else ""
    return f" {said}" if said else ""
