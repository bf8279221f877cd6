"""Months put together to quarters or years, where months have few labels or are too many. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from statistics import median
from typing import NamedTuple

from dashboard.figures.figure import ENOUGH, Column

LONGEST_DAILY = 731  # days with a row for each; a longer history has rows of weeks or months
MOST_TOLD_APART = 24  # periods in one figure
MONTH, QUARTER, YEAR = 1, 3, 12  # in months
PERIOD = [Column("month", "From", "month"), Column("last", "To", "month")]


class Period(NamedTuple):
    """From the first to the last month, both as their first day."""

    first: date
    last: date


def periods_of(months: Sequence[date], counts: Iterable[int], *, most: int) -> dict[date, Period]:
    """The period of each month: months if most cells have enough labels, else quarters.

    `counts` are the labels of each cell that has any. If quarters are more than `most`, years.
    """
    found = list(counts)
    size = MONTH if len(months) <= most and (not found or median(found) >= ENOUGH) else QUARTER
    if len({first_month_of(month, size) for month in months}) > most:
        size = YEAR
    together: dict[date, list[date]] = {}
    for month in months:
        together.setdefault(first_month_of(month, size), []).append(month)
    return {month: Period(min(some), max(some)) for some in together.values() for month in some}


def first_month_of(month: date, size: int) -> date:
    return date(month.year, (month.month - 1) // size * size + 1, 1)
