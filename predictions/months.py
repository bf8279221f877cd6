"""Months, each as its first day. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date


def month_of(day: date) -> date:
    return day.replace(day=1)


def after(month: date) -> date:
    """The first day of the next month."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def months_between(first: date, last: date) -> Iterator[date]:
    """The months of both days and all between them, oldest first."""
    month = month_of(first)
    while month <= last:
        yield month
        month = after(month)
