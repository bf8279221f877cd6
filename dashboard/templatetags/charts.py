"""Template tags for figures."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from django import template
from django.utils import timezone

from dashboard.figures import words
from dashboard.figures.figure import Column, Figure
from dashboard.figures.heat import GRIDS
from dashboard.figures.words import percent_in_words, value_in_words

register = template.Library()


@register.inclusion_tag("dashboard/_figure.html", takes_context=True)
def figure(context: template.Context, name: str, **options: Any) -> dict[str, Any]:
    """One of the page's figures: its text, its chart or heat map, its table, and its files.

    Options: `wide` is as wide as the page, `high` is as high as two others, `tall` has a higher
    chart, `beside` names a second chart of the same figure, `hint` says how to read it.
    """
    if name not in context["figures"]:
        return {}
    found: Figure = context["figures"][name]
    return {
        "figure": found,
        "query": context["query"],
        "grid": GRIDS[name](found, dict(parse_qsl(context["query"]))) if name in GRIDS else None,
        "sees_drawings": context["sees_drawings"],
        **options,
    }


@register.filter
def day_in_words(time: str) -> str:
    """The day of an ISO 8601 time, in words."""
    return value_in_words(time[:10], Column("at", "", "day"))


@register.filter
def day(time: datetime) -> str:
    """The day of a time, with the year."""
    return words.day_in_words(timezone.localdate(time))


@register.filter
def cells(row: list[Any], figure: Figure) -> list[tuple[str, bool]]:
    """The text of a row's cells, and whether each is a number."""
    return [
        (value_in_words(value, column), column.kind in {"count", "share", "number"})
        for value, column in zip(row, figure.columns, strict=True)
    ]


@register.filter
def is_gray(row: list[Any], figure: Figure) -> bool:
    """Whether a row has too few labels."""
    keys = [column.key for column in figure.columns]
    return "enough" in keys and not row[keys.index("enough")]


@register.filter
def as_percent(share: object) -> str:
    return percent_in_words(share) if isinstance(share, float) else "–"


@register.filter
def as_hundred(share: float) -> str:
    return words.as_hundred(share)


@register.filter
def as_points(share: float) -> str:
    """A difference in percentage points, with its sign."""
    return words.in_points(share)
