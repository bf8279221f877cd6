"""The drawings behind a cell of a heat map, with readings and labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import F, Q

from dashboard.cube.cube import position
from dashboard.filters import ALL, Filters, UnknownFilter, UnknownVersion, read_digit
from labeling.models import Stream
from predictions.api.paging import Page, page_of
from predictions.models import Prediction, PredictionQuerySet
from predictions.months import after

AT_ONCE = 60
UNREADABLE = "unreadable"
READINGS = ("right", "wrong")


@dataclass(frozen=True, slots=True)
class WhichDrawings:
    """A cell as its URL names it: the filters, and optionally a label and a reading."""

    filters: Filters
    label: str  # a digit, "unreadable", or empty for any
    predicted: int | None
    read: str  # right, wrong, or empty for both
    before: UUID | None

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Self:
        own = {name: query.get(name, "") for name in ("label", "predicted", "read", "before")}
        return cls(
            Filters.parse({name: text for name, text in query.items() if name not in own}),
            read_label(own["label"]),
            read_digit("predicted", own["predicted"]) if own["predicted"] else None,
            read_reading(own["read"]),
            read_key(own["before"]),
        )

    def as_query(self, before: UUID | None = None) -> str:
        """The cell as a query string; without `before`, of its first page."""
        predicted = "" if self.predicted is None else str(self.predicted)
        key = str(before or "")
        own = {"label": self.label, "predicted": predicted, "read": self.read, "before": key}
        parts = [self.filters.as_query(), urlencode({k: text for k, text in own.items() if text})]
        return "&".join(part for part in parts if part)

    @property
    def title(self) -> str:
        """The page's title."""
        label = self.label or ("" if self.filters.digit is None else str(self.filters.digit))
        said = "Drawings"
        if label:
            said = "Unreadable drawings" if label == UNREADABLE else f"Drawings of {label}"
        if self.predicted is not None:
            return f"{said} read as {self.predicted}"
        return f"{said} read {self.read}" if self.read else said


def read_label(text: str) -> str:
    if text in {"", UNREADABLE}:
        return text
    return str(read_digit("label", text))


def read_reading(text: str) -> str:
    if text and text not in READINGS:
        raise UnknownFilter("read", "read must be right or wrong.")
    return text


def read_key(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise UnknownFilter("before", "There is no such page.") from None


def check_version(filters: Filters) -> None:
    if filters.version and position(filters.version).version_id is None:
        raise UnknownVersion("version", f"There is no version {filters.version!r}.")


def cell_page(which: WhichDrawings) -> Page[Prediction]:
    """One page, newest first. Every page takes the same time."""
    rows = in_cell(which).for_lists().select_related("label")
    return page_of(rows, before=which.before, limit=AT_ONCE)


def in_cell(which: WhichDrawings) -> PredictionQuerySet:
    """The cell's labeled drawings, by the same rules as the cube."""
    filters = which.filters
    wanted = Q(label__isnull=False) & in_stream(filters.stream or Stream.AUDIT)
    if filters.first:
        wanted &= Q(day__gte=filters.first)
    if filters.last:
        wanted &= Q(day__lt=after(filters.last))
    if filters.version:
        wanted &= Q(version__name=filters.version)
    is_import = Q(source=Prediction.Source.IMPORT)
    wanted &= Q(source=filters.source) if filters.source else ~is_import
    if filters.digit is not None:
        wanted &= Q(label__digit=filters.digit)
    if which.label:
        is_unreadable = which.label == UNREADABLE
        wanted &= Q(label__is_unreadable=True) if is_unreadable else Q(label__digit=which.label)
    if which.predicted is not None:
        wanted &= Q(digit=which.predicted)
    if which.read:
        is_right = Q(label__digit=F("digit"))
        wanted &= is_right if which.read == "right" else ~is_right & Q(label__digit__isnull=False)
    return Prediction.objects.pictured().filter(wanted)  # erased drawings cannot be shown


def in_stream(stream: str) -> Q:
    """Audited drawings belong to the audit stream, all others to the stream of their label."""
    if stream == ALL:
        return Q()
    if stream == Stream.AUDIT:
        return Q(is_audit=True)
    return Q(is_audit=False, label__event__stream=stream)
