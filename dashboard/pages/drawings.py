"""The drawings behind a cell of a heat map, with readings and labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
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
SHARE = re.compile(r"0(\.[0-9]{1,6})?|1(\.0)?", re.ASCII)
IS_RIGHT = Q(label__digit=F("digit"))
READ = {"": Q(), "right": IS_RIGHT, "wrong": ~IS_RIGHT & Q(label__digit__isnull=False)}
OWN = ("label", "predicted", "read", "since", "until", "above", "below", "labeled", "before")


@dataclass(frozen=True, slots=True)
class WhichDrawings:
    """A cell as its URL names it: the filters, and optionally a label and a reading."""

    filters: Filters
    label: str  # a digit, "unreadable", or empty for any
    predicted: int | None
    read: str  # right, wrong, or empty for both
    since: date | None  # days, more exact than the filters' months
    until: date | None  # included
    above: float | None  # of confidence
    below: float | None
    labeled: str  # "any" for drawings without a label too
    before: UUID | None

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Self:
        own = {name: query.get(name, "") for name in OWN}
        return cls(
            Filters.parse({name: text for name, text in query.items() if name not in own}),
            read_label(own["label"]),
            read_digit("predicted", own["predicted"]) if own["predicted"] else None,
            read_choice("read", own["read"], ("right", "wrong")),
            read_day("since", own["since"]),
            read_day("until", own["until"]),
            read_share("above", own["above"]),
            read_share("below", own["below"]),
            read_choice("labeled", own["labeled"], ("any",)),
            read_key(own["before"]),
        )

    def as_query(self, before: UUID | None = None) -> str:
        """The cell as a query string; without `before`, of its first page."""
        said = {name: getattr(self, name) for name in OWN} | {"before": before}
        own = {name: "" if value is None else str(value) for name, value in said.items()}
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

    @property
    def in_words(self) -> str:
        """What the title does not say of the cell, for use in a sentence."""
        others = replace(self.filters, digit=None).in_words
        said = [others] if others else []
        if self.since and self.since == self.until:
            said.append(f"{self.since:%B %-d, %Y}")
        else:
            said += [f"from {self.since:%B %-d, %Y}"] if self.since else []
            said += [f"to {self.until:%B %-d, %Y}"] if self.until else []
        if self.above is not None or self.below is not None:
            low, high = self.above or 0.0, 1.0 if self.below is None else self.below
            said.append(f"confidence {100 * low:g}% to {100 * high:g}%")
        return ", ".join(said)


def read_label(text: str) -> str:
    if text in {"", UNREADABLE}:
        return text
    return str(read_digit("label", text))


def read_choice(name: str, text: str, choices: tuple[str, ...]) -> str:
    if text and text not in choices:
        raise UnknownFilter(name, f"{name} must be {' or '.join(choices)}.")
    return text


def read_day(name: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise UnknownFilter(name, f"{name} must be a day such as 2026-09-30.") from None


def read_share(name: str, text: str) -> float | None:
    if not text:
        return None
    if not SHARE.fullmatch(text):
        raise UnknownFilter(name, f"{name} must be a number from 0 to 1.")
    return float(text)


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
    wanted = Q(label__isnull=False)
    if which.labeled:
        wanted |= Q(is_audit=False)  # the reading of an audit is shown once it is labeled
    wanted &= in_stream(filters.stream or (ALL if which.labeled else Stream.AUDIT))
    wanted &= in_time(which) & in_confidence(which)
    is_import = Q(source=Prediction.Source.IMPORT)
    wanted &= Q(source=filters.source) if filters.source else ~is_import
    if which.label:
        is_unreadable = which.label == UNREADABLE
        wanted &= Q(label__is_unreadable=True) if is_unreadable else Q(label__digit=which.label)
    fields = {
        "version__name": filters.version or None,
        "label__digit": filters.digit,
        "digit": which.predicted,
    }
    named = {field: value for field, value in fields.items() if value is not None}
    # Erased drawings cannot be shown.
    return Prediction.objects.pictured().filter(wanted, READ[which.read], **named)


def in_time(which: WhichDrawings) -> Q:
    wanted, filters = Q(), which.filters
    for first in filter(None, (filters.first, which.since)):
        wanted &= Q(day__gte=first)
    if filters.last:
        wanted &= Q(day__lt=after(filters.last))
    if which.until:
        wanted &= Q(day__lte=which.until)
    return wanted


def in_confidence(which: WhichDrawings) -> Q:
    """As in the cube's bins: an edge belongs to the bin above it, 1 to the last one."""
    wanted = Q()
    if which.above is not None:
        wanted &= Q(confidence__gte=which.above)
    if which.below is not None and which.below < 1:
        wanted &= Q(confidence__lt=which.below)
    return wanted


def in_stream(stream: str) -> Q:
    """Audited drawings belong to the audit stream, all others to the stream of their label."""
    if stream == ALL:
        return Q()
    if stream == Stream.AUDIT:
        return Q(is_audit=True)
    return Q(is_audit=False, label__event__stream=stream)
