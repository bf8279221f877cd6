"""The options of the filter form: only months and versions that exist."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.db.models import Max, Min

from dashboard.axes import DIGITS
from dashboard.cube.sums import every_month
from dashboard.filters import SOURCE_TITLES, STREAM_TITLES, Filters
from dashboard.models import MonthSums
from predictions.models import ModelVersion


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    title: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Select:
    name: str
    title: str
    options: list[Option]

    @property
    def is_set(self) -> bool:
        """Whether it leaves out something; only a choice that may be empty can."""
        nothing = self.options[0]
        return not nothing.value and not nothing.is_chosen


def selects(filters: Filters) -> list[Select]:
    """One for each filter, in the order of the URL. Two queries."""
    months = known_months(filters)
    versions = ModelVersion.objects.exclude(state=ModelVersion.State.REJECTED).order_by("pk")
    names = list(versions.values_list("name", flat=True))
    if filters.version and filters.version not in names:
        names.append(filters.version)
    return [
        select("first", "From", [("", "The beginning"), *months], key(filters.first)),
        select("last", "To", [("", "Now"), *months], key(filters.last)),
        select("digit", "Digit", [("", "All"), *digits()], key(filters.digit)),
        select(
            "version", "Version", [("", "All"), *zip(names, names, strict=True)], filters.version
        ),
        select("source", "Source", SOURCE_TITLES.items(), filters.source),
        select("stream", "Sample", STREAM_TITLES.items(), filters.shown_stream),
    ]


def select(name: str, title: str, options: Iterable[tuple[str, str]], chosen: str) -> Select:
    return Select(
        name, title, [Option(str(value), said, value == chosen) for value, said in options]
    )


def digits() -> list[tuple[str, str]]:
    return [(str(digit), str(digit)) for digit in range(DIGITS)]


def key(value: date | int | None) -> str:
    if isinstance(value, date):
        return f"{value:%Y-%m}"
    return "" if value is None else str(value)


def known_months(filters: Filters) -> list[tuple[str, str]]:
    """All months from the first with a drawing to the last, extended to the filtered ones."""
    ends = MonthSums.objects.aggregate(first=Min("month"), last=Max("month"))
    found = [month for month in (*ends.values(), filters.first, filters.last) if month]
    return [(f"{month:%Y-%m}", f"{month:%B %Y}") for month in every_month(found)]
