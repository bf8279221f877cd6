"""Figures of labelers' work: corrections, the flow through the queue, and agreement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import groupby
from statistics import median
from typing import Any

import numpy as np

from dashboard.cube.sums import (
    days_of,
    every_month,
    flows,
    from_the_beginning,
    months,
    promotions,
)
from dashboard.fields import Counts
from dashboard.figures import sentences
from dashboard.figures.figure import ENOUGH, Column, Figure, Share, share_cells, share_columns
from dashboard.figures.periods import LONGEST_DAILY, MOST_TOLD_APART, PERIOD, Period, periods_of
from dashboard.filters import ALL, Filters
from dashboard.flow import ACTS
from predictions.months import after
from training.trials.sentences import number_of

FIRST, AGREES, DIFFERS = (ACTS.index(name) for name in ("first", "agrees", "differs"))
RULINGS, CORRECTIONS, UNDOS = (ACTS.index(name) for name in ("rulings", "corrections", "undos"))
LABELED, SETTLED, WRONG = (ACTS.index(name) for name in ("labeled", "settled", "wrong"))
NO_DIGIT = " The filter for a digit does not apply here."
NO_STREAM = " The filter for a sample does not apply here."


def corrections(filters: Filters) -> Figure:
    """The number of drawings labeled as another digit than the model read, over time."""
    acts = daily_acts(filters)
    rows: list[list[Any]] = []
    total = before = 0
    for day in days_until_end(acts, filters):
        change = acts.get(day, NO_ACTS)[WRONG]
        total += change
        if filters.first and day < filters.first:
            before = total
        rows.append([day.isoformat(), change, total])
    last = date.fromisoformat(rows[-1][0]) if rows else None
    return Figure(
        name="corrections",
        title="Corrections so far",
        sentence=sentences.misread(total, last, filters.first, before) + not_applied(filters),
        sampled_from=acts_in_words(acts, filters),
        columns=[
            Column("day", "Day", "day"),
            Column("new", "Change that day", "count"),
            Column("total", "So far", "count"),
        ],
        rows=within_period(rows, filters),
        marks=promotions(),
    )


def label_flow(filters: Filters) -> Figure:
    """New drawings and settled labels, by day; after two years, by month."""
    acts, drawings = daily_acts(filters), daily_drawings(filters)
    rows, waiting = [], 0
    for day in days_until_end({**acts, **drawings}, filters):
        came, row = drawings.get(day, 0), acts.get(day, NO_ACTS)
        waiting += came - row[SETTLED]
        opinions = row[FIRST] + row[AGREES] + row[DIFFERS]
        rows.append(
            [
                day.isoformat(), came, row[SETTLED], max(0, waiting), opinions,
                row[RULINGS] + row[CORRECTIONS], row[UNDOS],
            ]
        )  # fmt: skip
    shown = within_period(rows, filters)
    is_long = len(shown) > LONGEST_DAILY
    return Figure(
        name="label-flow",
        title="Into the queue and out of it",
        sentence=sentences.flow(
            came=sum(row[1] for row in shown),
            settled=sum(row[2] for row in shown),
            waiting=shown[-1][3] if shown else 0,
            last=date.fromisoformat(shown[-1][0]) if shown else None,
        )
        + not_applied(filters),
        sampled_from=acts_in_words(acts, filters),
        columns=[
            Column("month", "Month", "month") if is_long else Column("day", "Day", "day"),
            Column("came", "Drawings in", "count"),
            Column("settled", "Settled, less reopened", "count"),
            Column("waiting", "Not settled", "count"),
            Column("opinions", "Opinions", "count"),
            Column("rulings", "Rulings and corrections", "count"),
            Column("undos", "Taken back", "count"),
        ],
        rows=list(months_of_flow(shown)) if is_long else shown,
    )


def months_of_flow(days: list[list[Any]]) -> Iterator[list[Any]]:
    """Rows of days added up to months; what waits is that of the last day."""
    for month, some in groupby(days, key=lambda row: row[0][:7]):
        rows = list(some)
        came, settled, _, *others = (sum(each) for each in list(zip(*rows, strict=True))[1:])
        yield [month, came, settled, rows[-1][3], *others]


def agreement(filters: Filters) -> Figure:
    """The share of second opinions that equal the label by others."""
    by_month = opinions_by_month(filters)
    agreed, n = (sum(each) for each in zip(*by_month.values(), strict=True)) if by_month else (0, 0)
    return Figure(
        name="agreement-by-month",
        title="Do labelers agree?",
        sentence=sentences.about_agreement(agreed, n, Share.of(agreed, n) if n else None),
        sampled_from="From opinions on drawings that somebody else had spoken about. Contradictions"
        " of a sure model ask for one, so these are harder than the rest."
        + (NO_DIGIT if filters.digit is not None else ""),
        warning="Biased: second opinions are asked for where the first was surprising.",
        columns=[*PERIOD, *share_columns("Agreed", "Agreement")],
        rows=[
            [*(f"{month:%Y-%m}" for month in period), *share_cells(agreed, n)]
            for period, (agreed, n) in opinions_by_period(by_month).items()
        ],
    )


Opinions = tuple[int, int]  # second ones: that agree with the label by others, and all


def opinions_by_month(filters: Filters) -> dict[date, Opinions]:
    found: defaultdict[date, Counts] = defaultdict(lambda: np.zeros(len(ACTS), np.int64))
    for month, acts in flows(filters):
        found[month] += acts.sum(axis=0)
    return {
        month: (int(acts[AGREES]), int(acts[[AGREES, DIFFERS]].sum()))
        for month, acts in found.items()
    }


def opinions_by_period(by_month: dict[date, Opinions]) -> dict[Period, Opinions]:
    """By month, or by quarter or year where months have few."""
    months = list(every_month(list(by_month)))
    told = [n for _, n in by_month.values() if n]
    are_enough = bool(told) and median(told) >= ENOUGH
    period_of = periods_of(months, told, most=len(months) if are_enough else MOST_TOLD_APART)
    found: dict[Period, Opinions] = {}
    for month in months:
        agreed, n = found.get(period_of[month], (0, 0))
        more_agreed, more = by_month.get(month, (0, 0))
        found[period_of[month]] = agreed + more_agreed, n + more
    return found


# -- counts -------------------------------------------------------------------------------------

NO_ACTS = [0] * len(ACTS)
Acts = list[int]  # in the order of ACTS


def daily_acts(filters: Filters) -> dict[date, Acts]:
    """Acts of every day until the end of the period, from the beginning, since totals start there.

    Of every stream: an item may be labeled in one and corrected in another.
    """
    found: dict[date, Counts] = {}
    for month, acts in flows(from_the_beginning(filters)):
        found[month] = found[month] + acts if month in found else acts
    return {
        day: row
        for month, acts in sorted(found.items())
        for day, row in zip(days_of(month), acts.tolist(), strict=False)
        if any(row)
    }


def daily_drawings(filters: Filters) -> dict[date, int]:
    found: dict[date, Counts] = {}
    for each in months(from_the_beginning(filters), "days"):
        count = each["days"][:, :, 0].sum(axis=1)
        found[each.month] = found[each.month] + count if each.month in found else count
    return {
        day: count
        for month, counts in found.items()
        for day, count in zip(days_of(month), counts.tolist(), strict=False)
        if count
    }


def days_until_end(days: Mapping[date, object], filters: Filters) -> list[date]:
    """All days from the first; until the last, or the first of the period if that is later."""
    if not days:
        return []
    first, last = min(days), max(days)
    if filters.first:
        last = max(last, filters.first)
    return [first + timedelta(days=at) for at in range((last - first).days + 1)]


def within_period(rows: list[list[Any]], filters: Filters) -> list[list[Any]]:
    """The rows within the filtered period."""
    first = filters.first.isoformat() if filters.first else ""
    last = after(filters.last).isoformat() if filters.last else "9999"
    return [row for row in rows if first <= row[0] < last]


def acts_in_words(acts: dict[date, Acts], filters: Filters) -> str:
    shown = within_period([[day.isoformat(), *row] for day, row in acts.items()], filters)
    n = sum(sum(row[1 : 1 + LABELED]) for row in shown)
    imports = "" if filters.source else ", without those on imported images"
    return f"All {number_of(n, 'act')} of labelers{imports}; nothing was sampled."


def not_applied(filters: Filters) -> str:
    """The filters that acts are not counted by, as sentences."""
    said = NO_DIGIT if filters.digit is not None else ""
    return said + (NO_STREAM if filters.stream not in {"", ALL} else "")
