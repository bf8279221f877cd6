"""What labelers did: corrections so far, what came in and went out, how far they agree."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta

import numpy as np

from dashboard.axes import month_of
from dashboard.fields import Counts
from dashboard.figure import Column, Figure, share_cells, share_columns
from dashboard.filters import Filters
from dashboard.flow import ACTS
from dashboard.sums import days_of, every_month, flows, months, promotions, unlimited

FIRST, AGREES, DIFFERS = (ACTS.index(name) for name in ("first", "agrees", "differs"))
RULINGS, CORRECTIONS, UNDOS = (ACTS.index(name) for name in ("rulings", "corrections", "undos"))
LABELED, SETTLED, WRONG = (ACTS.index(name) for name in ("labeled", "settled", "wrong"))
NO_DIGIT = " The filter for a digit does not apply here."


def corrections(filters: Filters) -> Figure:
    """How many drawings have a label that names another digit than the model did, over time."""
    acts = daily_acts(filters)
    rows, total = [], 0
    for day in days_between(acts):
        new = int(acts.get(day, NO_ACTS)[WRONG])
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
        rows=within(rows, filters),
        marks=promotions(),
    )


def label_flow(filters: Filters) -> Figure:
    """What came into the queue and what left it, day by day."""
    acts, drawings = daily_acts(filters), daily_drawings(filters)
    rows, waiting = [], 0
    for day in days_between({**acts, **drawings}):
        came, row = drawings.get(day, 0), acts.get(day, NO_ACTS)
        waiting += came - int(row[SETTLED])
        opinions = int(row[FIRST] + row[AGREES] + row[DIFFERS])
        rows.append([day.isoformat(), came, int(row[SETTLED]), waiting, opinions,
                     int(row[RULINGS] + row[CORRECTIONS]), int(row[UNDOS])])  # fmt: skip
    return Figure(
        name="label-flow",
        title="Into the queue and out of it",
        sentence=f"{sum(drawings.values()):,} drawings came in,"
        f" {sum(int(row[SETTLED]) for row in acts.values()):,} are settled, {waiting:,} are not.",
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
        rows=within(rows, filters),
    )


def agreement(filters: Filters) -> Figure:
    """Of opinions on what others had already spoken about, how many say the same."""
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

NO_ACTS = np.zeros(len(ACTS), np.int64)


def daily_acts(filters: Filters) -> dict[date, Counts]:
    """Every day with an act, from the beginning: what adds up must not begin in the middle."""
    found: defaultdict[date, Counts] = defaultdict(lambda: np.zeros(len(ACTS), np.int64))
    for month, acts in flows(unlimited(filters)):
        for day, row in days_of(month, acts):
            if row.any():
                found[day] += row
    return dict(sorted(found.items()))


def daily_drawings(filters: Filters) -> dict[date, int]:
    found: defaultdict[date, int] = defaultdict(int)
    for each in months(unlimited(filters), "days"):
        for day, count in days_of(each.month, each["days"][:, :, 0].sum(axis=1)):
            if count:
                found[day] += int(count)
    return found


def days_between(days: dict[date, object] | dict[date, Counts]) -> list[date]:
    if not days:
        return []
    first, last = min(days), max(days)
    return [first + timedelta(days=at) for at in range((last - first).days + 1)]


def within(rows: list[list[object]], filters: Filters) -> list[list[object]]:
    """Those of the period that is asked for."""
    kept = []
    for row in rows:
        month = month_of(date.fromisoformat(str(row[0])))
        if (filters.first or month) <= month <= (filters.last or month):
            kept.append(row)
    return kept


def said_by(acts: dict[date, Counts], filters: Filters) -> str:
    n = sum(int(row[: ACTS.index("labeled")].sum()) for row in acts.values())
    ignored = NO_DIGIT if filters.digit is not None else ""
    return f"All {n:,} acts of labelers; nothing was sampled.{ignored}"
