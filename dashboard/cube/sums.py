"""Reading the cube. Figures read packed sums, whose number does not grow with the drawings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from django.db.models import QuerySet, Subquery
from django.utils import timezone

from dashboard.axes import UNLABELED
from dashboard.cube.authors import AUTHOR, Authors
from dashboard.cube.shared import read_once
from dashboard.fields import Counts
from dashboard.filters import ALL, SOURCES, Filters
from dashboard.models import MonthAuthors, MonthFlow, MonthSums, Replay
from labeling.models import Stream
from predictions.models import ModelVersion, Prediction
from predictions.months import after, months_between
from training.models import Promotion


@dataclass(frozen=True, slots=True)
class Sum:
    """One month of one version, source, stream and chance of being audited."""

    month: date
    version: str
    source: str
    stream: str
    chance: int
    counts: dict[str, Counts]

    def __getitem__(self, name: str) -> Counts:
        return self.counts[name]


def months(filters: Filters, *names: str, stream: str = ALL) -> list[Sum]:
    """The named sums, oldest first; `stream` is the default if the filters name none."""
    return read_once(
        ("months", filters, names, stream), lambda: read_months(filters, names, stream)
    )


def read_months(filters: Filters, names: Sequence[str], stream: str) -> list[Sum]:
    rows = within_filters(MonthSums.objects.all(), filters)
    if (wanted := filters.stream or stream) != ALL:
        rows = rows.filter(stream=wanted)
    keys = ("month", "version__name", "source", "stream", "chance")
    return [
        Sum(*row[:5], dict(zip(names, row[5:], strict=True)))  # type: ignore[call-arg]
        for row in rows.order_by("month", "version").values_list(*keys, *names)
    ]


def filtered_months(rows: QuerySet[Any], filters: Filters) -> QuerySet[Any]:
    """The rows of the period."""
    if filters.first:
        rows = rows.filter(month__gte=filters.first)
    return rows.filter(month__lte=filters.last) if filters.last else rows


def within_filters(rows: QuerySet[Any], filters: Filters) -> QuerySet[Any]:
    """Imported images are no drawings: only a filter for them shows them."""
    rows = filtered_months(rows, filters)
    if filters.version:
        rows = rows.filter(version__name=filters.version)
    if filters.source:
        return rows.filter(source=filters.source)
    return rows.exclude(source=Prediction.Source.IMPORT)


def flows(filters: Filters) -> list[tuple[date, Counts]]:
    """(month, acts by day) of what labelers did, oldest first."""
    return read_once(("flows", filters), lambda: read_flows(filters))


def read_flows(filters: Filters) -> list[tuple[date, Counts]]:
    rows = within_filters(MonthFlow.objects.all(), filters)
    if filters.stream not in {"", ALL}:
        rows = rows.filter(stream=filters.stream)
    return list(rows.order_by("month").values_list("month", "acts"))


def from_the_beginning(filters: Filters) -> Filters:
    """The same filters without the period's first month and without the stream."""
    return replace(filters, first=None, stream="")


def totals(rows: Iterable[Sum], name: str) -> dict[tuple[date, int], Counts]:
    """Sums by month and chance of being audited, over all versions, sources and streams.

    Drawings of other streams were not chosen by that chance, so theirs is 0: unknown.
    """
    found: dict[tuple[date, int], Counts] = {}
    for each in rows:
        key = each.month, each.chance if each.stream == Stream.AUDIT else 0
        found[key] = found[key] + each[name] if key in found else each[name]
    return found


def audit_counts(filters: Filters) -> dict[tuple[date, int], tuple[int, int]]:
    """By month and chance: drawings chosen for the audit in the period, and those labeled."""
    period = Filters(first=filters.first, last=filters.last)
    found = totals(months(period, "readings", stream=Stream.AUDIT), "readings")
    return {
        key: (int(counts.sum()), int(counts[:, :UNLABELED].sum())) for key, counts in found.items()
    }


def days_of(month: date) -> list[date]:
    """All days of the month."""
    return [month + timedelta(days=at) for at in range((after(month) - month).days)]


def is_random(filters: Filters) -> bool:
    """Whether the drawings are a random sample; if not, figures of accuracy show a warning."""
    return filters.stream in {"", Stream.AUDIT}


def every_month(found: Collection[date]) -> Iterator[date]:
    """All months from the first to the last, also those without data."""
    return months_between(min(found), max(found)) if found else iter(())


def promotions() -> list[dict[str, str]]:
    """When each version went live: marks on charts over time."""
    return read_once("promotions", read_promotions)


def read_promotions() -> list[dict[str, str]]:
    rows = Promotion.objects.order_by("made_at", "pk").values_list("made_at", "after__name", "kind")
    return [
        {
            "at": timezone.localtime(at).isoformat(),
            "month": f"{timezone.localtime(at):%Y-%m}",
            "title": f"{name} went live" if kind == Promotion.Kind.PROMOTION
            else f"back to {name}",
        }
        for at, name, kind in rows
    ]  # fmt: skip


def authors_by_month(filters: Filters) -> dict[date, Authors]:
    """Who drew each month's labeled audits, as far as the worker has counted."""
    if not is_random(filters):
        return {}
    return read_once(("authors", filters), lambda: read_authors(filters))


def read_authors(filters: Filters) -> dict[date, Authors]:
    months = filtered_months(MonthAuthors.objects.order_by("month"), filters)
    state = Replay.objects.all()[:1]
    version = ModelVersion.objects.filter(name=filters.version).values("pk")[:1]
    found = months.values_list(
        "month",
        "counts",
        Subquery(state.values("alike")),
        Subquery(state.values("alike_in_pairs")),
        Subquery(version),
    )
    return {
        month: Authors(rows_within(np.frombuffer(counts, AUTHOR), filters, key), alike, in_pairs)
        for month, counts, alike, in_pairs, key in found
    }


def rows_within(rows: Any, filters: Filters, version: int | None) -> Any:
    wanted = np.ones(len(rows), bool)
    if filters.digit is not None:
        wanted &= rows["digit"] == filters.digit
    if filters.source:
        wanted &= rows["source"] == SOURCES.index(filters.source)
    if filters.version:
        wanted &= rows["version"] == (version or 0)
    return rows if wanted.all() else rows[wanted]


def authors_of(filters: Filters) -> Authors | None:
    """Who drew the labeled audits of the whole period."""
    whole: Authors | None = None
    for each in authors_by_month(filters).values():
        whole = whole + each if whole else each
    return whole
