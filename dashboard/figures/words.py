"""Formats of numbers and dates in figures. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from dashboard.figures.figure import Column

GAP = "–"


def month_in_words(month: str) -> str:
    """2026-09 as Sep 2026."""
    return f"{date.fromisoformat(month + '-01'):%b %Y}"


def span_in_words(first: str, last: str) -> str:
    """Both months as one period: Sep 2026, Q3 2026, 2026, or Aug–Sep 2026."""
    if first == last:
        return month_in_words(first)
    (year, begins), (_, ends) = (
        (int(part) for part in month.split("-")) for month in (first, last)
    )
    if (begins, ends) == (1, 12):
        return str(year)
    if ends - begins == 2 and ends % 3 == 0:
        return f"Q{ends // 3} {year}"
    return f"{month_in_words(first)[:3]}–{month_in_words(last)}"


def percent_in_words(share: float) -> str:
    """0.98 as 98%; a share below 1 is never rounded to 100%."""
    text = f"{share:.1%}"
    return "99.9%" if share < 1 and text == "100.0%" else text.replace(".0%", "%")


def as_hundred(share: float) -> str:
    """A share as a number of 100 drawings."""
    return percent_in_words(share).removesuffix("%")


def in_points(share: float) -> str:
    """A difference in percentage points, with its sign and one decimal."""
    number = f"{100 * share:+.1f}"
    return "0.0" if number in {"+0.0", "-0.0"} else number.replace("-", "−")


def end_in_points(share: float) -> str:
    """The end of an interval of a difference: near 0 with two decimals, to tell on which side."""
    said = in_points(share)
    return f"{100 * share:+.2f}".replace("-", "−") if said == "0.0" and share else said


def about(count: int) -> str:
    """An estimated count, with two significant digits: 2,658 as 2,700."""
    return f"{round(count, 2 - len(str(count))):,}"


def day_in_words(day: date) -> str:
    """With the year: a figure may be read in another."""
    return f"{day:%b %-d, %Y}"


def of_n(n: int) -> str:
    """The size of a sample, which no line breaks."""
    return f"n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{n:,}"


def share_in_words(found: Mapping[str, Any]) -> str:
    """A share with its n and interval."""
    low, high = percent_in_words(found["low"]), percent_in_words(found["high"])
    return f"{percent_in_words(found['share'])} of {found['n']:,} (95%: {low} to {high})"


def value_in_words(value: Any, column: Column) -> str:
    """The text of a table's cell."""
    if value is None:
        return GAP
    if column.kind == "month":
        return month_in_words(value)
    if column.kind == "day":
        return day_in_words(date.fromisoformat(value))
    if column.kind == "share":
        return percent_in_words(value)
    if column.kind == "yesno":
        return "yes" if value else "no"
    if column.kind == "count":
        return f"{value:,}"
    if column.kind == "number":
        return f"{value:,.4g}"
    return str(value)
