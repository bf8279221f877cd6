"""Template tags for figures."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from django import template
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from dashboard.figures import words
from dashboard.figures.figure import Column, Figure
from dashboard.figures.heat import GRIDS
from dashboard.figures.words import percent_in_words, value_in_words

register = template.Library()
LONGEST_TABLE = 120  # rows in a page: ten digits in twelve months; the CSV has all
NUMBERS = {"count", "share", "number"}


@register.inclusion_tag("dashboard/_figure.html", takes_context=True)
def figure(context: template.Context, name: str, **options: Any) -> dict[str, Any]:
    """One of the page's figures: its text, its chart or heat map, its table, and its files.

    Options: `wide` is as wide as the page, `high` is as high as two others, `tall` has a higher
    chart, `beside` names a second chart of the same figure, `hint` says how to read it. `behind` is
    a query of the drawings that its points lead to, or to what `leads_to` names; `of_acts` says
    that they lead nowhere; `said_above` that the page has told the sentence already.
    """
    if name not in context["figures"]:
        return {}
    found: Figure = context["figures"][name]
    return {
        "figure": found,
        "query": context["query"],
        "grid": GRIDS[name](found, dict(parse_qsl(context["query"]))) if name in GRIDS else None,
        "sees_drawings": context["sees_drawings"],
        "points": about_points(**options) if context["sees_drawings"] and found.rows else "",
        **options,
    }


def about_points(
    *, behind: str | None = None, leads_to: str = "its drawings", of_acts: bool = False, **_: Any
) -> str:
    """Where the points of a chart lead whoever may see drawings."""
    if behind is not None:
        return f"Press a point or bar to see {leads_to}; by key: arrows, then Enter."
    if of_acts:
        return "Points lead to no drawings: decisions count on the day they were made."
    return ""


@register.filter
def day_of_time(time: str) -> str:
    """The day of an ISO 8601 time, in words."""
    return value_in_words(time[:10], Column("at", "", "day"))


@register.filter
def day(time: datetime) -> str:
    """The day of a time, with the year."""
    return words.day_in_words(timezone.localdate(time))


@register.simple_tag
def table_rows(figure: Figure) -> SafeString:
    """The last rows of the figure's table. Template loops would take ten times as long."""
    columns = figure.columns
    keys = [column.key for column in columns]
    enough = keys.index("enough") if "enough" in keys else None
    tags = [
        "<td>{}</td>" if column.kind in NUMBERS else '<td class="words">{}</td>'
        for column in columns[1:]
    ]
    row_of = f'<tr{{}}><th scope="row">{{}}</th>{"".join(tags)}</tr>'
    few = SafeString(' class="few"')
    return format_html_join(
        "",
        row_of,
        (
            (
                few if enough is not None and not row[enough] else "",
                *(value_in_words(*pair) for pair in zip(row, columns, strict=True)),
            )
            for row in figure.rows[-LONGEST_TABLE:]
        ),
    )


@register.filter
def rows_left_out(figure: Figure) -> int:
    """The rows that are in the CSV only."""
    return max(0, len(figure.rows) - LONGEST_TABLE)


@register.filter
def as_percent(share: object) -> str:
    return percent_in_words(share) if isinstance(share, float) else "–"


register.filter("as_hundred", words.as_hundred)
register.filter("of_n", words.of_n)


@register.filter
def as_points(share: float) -> str:
    """A difference in percentage points, with its sign."""
    return words.in_points(share)
