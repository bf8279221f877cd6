"""Figures of labelers' work: corrections, the flow through the queue, and agreement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np

from dashboard.axes import after
from dashboard.cube.sums import days_of, every_month, flows, months, promotions, unlimited
from dashboard.fields import Counts
from dashboard.figures.figure import Column, Figure, share_cells, share_columns
from dashboard.filters import Filters
from dashboard.flow import ACTS

FIRST, AGREES, DIFFERS = (ACTS.index(name) for name in ("first", "agrees", "differs"))
RULINGS, CORRECTIONS, UNDOS = (ACTS.index(name) for name in ("rulings", "corrections", "undos"))
LABELED, SETTLED, WRONG = (ACTS.index(name) for name in ("labeled", "settled", "wrong"))
NO_DIGIT = " The filter for a digit does not apply here."


def corrections(filters: Filters) -> Figure:
    """The number of drawings labeled as another digit than the model read, over time."""
    acts = daily_acts(filters)
    rows, total = [], 0
    for day in days_between(acts):
        new = acts.get(day, NO_ACTS)[WRONG]
        total += new
        rows.append([day.isoformat(), new, total])
    last = f" by {max(acts):%B %-d, %Y}" if acts else ""
    return Figure(
        name="corrections",
        title="Corrections so far",
        sentence=f"{total:,} drawings were found to be misread{last}.",
        sampled_from=said_by(acts, filters),
        columns=[
            Column("day", "Day", "day"),
            Column("new", "New that day", "count"),
            Column("total", "So far", "count"),
        ],
        rows=within_period(rows, filters),
        marks=promotions(),
    )


def label_flow(filters: Filters) -> Figure:
    """New drawings and settled labels, by day."""
    acts, drawings = daily_acts(filters), daily_drawings(filters)
    rows, waiting = [], 0
    for day in days_between({**acts, **drawings}):
        came, row = drawings.get(day, 0), acts.get(day, NO_ACTS)
        waiting += came - row[SETTLED]
        opinions = row[FIRST] + row[AGREES] + row[DIFFERS]
        rows.append(
            [
                day.isoformat(), came, row[SETTLED], waiting, opinions,
                row[RULINGS] + row[CORRECTIONS], row[UNDOS],
            ]
        )  # fmt: skip
    return Figure(
        name="label-flow",
        title="Into the queue and out of it",
        sentence=f"{sum(drawings.values()):,} drawings came in,"
        f" {sum(row[SETTLED] for row in acts.values()):,} are settled, {waiting:,} are not.",
        sampled_from=said_by(acts, filters),
        columns=[
            Column("day", "Day", "day"),
            Column("came", "Drawings in", "count"),
            Column("settled", "Settled, less reopened", "count"),
            Column("waiting", "Not settled", "count"),
            Column("opinions", "Opinions", "count"),
            Column("rulings", "Rulings and corrections", "count"),
            Column("undos", "Taken back", "count"),
        ],
        rows=within_period(rows, filters),
    )


def agreement(filters: Filters) -> Figure:
    """The share of second opinions that equal the label by others, by month."""
    found: defaultdict[date, Counts] = defaultdict(lambda: np.zeros(len(ACTS), np.int64))
    for month, acts in flows(filters):
        found[month] += acts.sum(axis=0)
    agreed = sum(int(acts[AGREES]) for acts in found.values())
    n = agreed + sum(int(acts[DIFFERS]) for acts in found.values())
    share = f": {100 * agreed / n:.1f} of 100" if n else ""
    return Figure(
        name="agreement-by-month",
        title="Do labelers agree?",
        sentence=f"{agreed:,} of {n:,} second opinions said what stood before{share}.",
        sampled_from="From opinions on drawings that somebody else had spoken about. Contradictions"
        " of a sure model ask for one, so these are harder than the rest."
        + (NO_DIGIT if filters.digit is not None else ""),
        warning="Biased: second opinions are asked for where the first was surprising.",
        columns=[Column("month", "Month", "month"), *share_columns("Agreed", "Agreement")],
        rows=[
            [f"{month:%Y-%m}", *share_cells(int(found[month][AGREES]),
                                            int(found[month][[AGREES, DIFFERS]].sum()))]
            for month in every_month(list(found))
        ],
    )  # fmt: skip


# -- counts -------------------------------------------------------------------------------------

NO_ACTS = [0] * len(ACTS)
Acts = list[int]  # in the order of ACTS


def daily_acts(filters: Filters) -> dict[date, Acts]:
    """Acts of every day, without the filter of the period, since totals start at the beginning."""
    found: dict[date, Counts] = {}
    for month, acts in flows(unlimited(filters)):
        found[month] = found[month] + acts if month in found else acts
    return {
        day: row
        for month, acts in sorted(found.items())
        for day, row in zip(days_of(month), acts.tolist(), strict=False)
        if any(row)
    }


def daily_drawings(filters: Filters) -> dict[date, int]:
    found: dict[date, Counts] = {}
    for each in months(unlimited(filters), "days"):
        count = each["days"][:, :, 0].sum(axis=1)
        found[each.month] = found[each.month] + count if each.month in found else count
    return {
        day: count
        for month, counts in found.items()
        for day, count in zip(days_of(month), counts.tolist(), strict=False)
        if count
    }


def days_between(days: Mapping[date, object]) -> list[date]:
    if not days:
        return []
    first, last = min(days), max(days)
    return [first + timedelta(days=at) for at in range((last - first).days + 1)]


def within_period(rows: list[list[Any]], filters: Filters) -> list[list[Any]]:
    """The rows within the filtered period."""
    first = filters.first.isoformat() if filters.first else ""
    last = after(filters.last).isoformat() if filters.last else "9999"
    return [row for row in rows if first <= row[0] < last]


def said_by(acts: dict[date, Acts], filters: Filters) -> str:
    n = sum(sum(row[:LABELED]) for row in acts.values())
    ignored = NO_DIGIT if filters.digit is not None else ""
    return f"All {n:,} acts of labelers; nothing was sampled.{ignored}"
