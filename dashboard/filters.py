"""Which drawings a page or figure covers. Filters are in the URL: a link shows the same view."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Self
from urllib.parse import urlencode

from dashboard.axes import DIGITS
from labeling.models import Stream
from predictions.errors import Declined
from predictions.models import Prediction

ALL = "all"  # every labeled drawing, from any stream
SOURCES = tuple(Prediction.Source.values)
STREAMS = (*Stream.values, ALL)
# What the form calls them; without a choice, figures use audits, and no imported images.
STREAM_TITLES = {
    "": "Chosen at random",
    Stream.FEEDBACK: "Somebody said something",
    Stream.UNSURE: "Unsure guesses",
    Stream.REVIEW: "Another look",
    Stream.SECOND: "Second opinions",
    ALL: "All labeled (biased)",
}
SOURCE_TITLES = {
    "": "All but imported",
    Prediction.Source.DRAW: "Drawn",
    Prediction.Source.UPLOAD: "Uploaded",
    Prediction.Source.API: "By a program",
    Prediction.Source.BATCH: "In batches",
    Prediction.Source.DEMO: "Made up (demo)",
    Prediction.Source.IMPORT: "Imported",
}
LONGEST_NAME = 60  # of a version
A_NAME = re.compile(rf"[^\x00-\x1f\x7f-\x9f]{{1,{LONGEST_NAME}}}")  # no control characters
MONTH = re.compile(r"([12][0-9]{3})-(0[1-9]|1[0-2])")


class UnknownFilter(Declined):
    """The URL has a filter or value that does not exist; `name` is the filter."""

    code = "invalid"

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class UnmetFilter(UnknownFilter):
    """The filter is well formed, but nothing can match it."""

    code = "unmet_filter"


class UnknownVersion(UnmetFilter):
    """No version has this name."""

    code = "not_found"


@dataclass(frozen=True, slots=True)
class Filters:
    """Empty means no limit. An empty stream means the figure's own default."""

    first: date | None = None  # the first day of the first month
    last: date | None = None  # the first day of the last month, which is included
    digit: int | None = None  # the label; the digit read, in figures that need no label
    version: str = ""
    source: str = ""
    stream: str = ""

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Self:
        """Read the filters of a URL; raise UnknownFilter with the name of a bad one."""
        if unknown := sorted(set(query) - set(READERS)):
            raise UnknownFilter(unknown[0], f"There is no filter {unknown[0]!r}.")
        given = {name: READERS[name](name, text) for name, text in query.items() if text}
        found = cls(**given)
        if found.first and found.last and found.first > found.last:
            raise UnmetFilter("last", "The period ends before it begins.")
        return found

    def as_query(self) -> str:
        """The filters as a query string; equal filters give equal text."""
        said = {name: filter_text(getattr(self, name)) for name in READERS}
        return urlencode({name: text for name, text in said.items() if text})

    @property
    def in_words(self) -> str:
        """For use in a sentence; empty without filters."""
        said = []
        if self.first or self.last:
            said.append(period_in_words(self.first, self.last))
        if self.digit is not None:
            said.append(f"digit {self.digit}")
        said += [self.version] if self.version else []
        said += [SOURCE_TITLES[self.source].lower()] if self.source else []
        said += [STREAM_TITLES[self.shown_stream].lower()] if self.stream else []
        return ", ".join(said)

    @property
    def shown_stream(self) -> str:
        """The stream as the form shows it: audits are what an empty one stands for."""
        return "" if self.stream == Stream.AUDIT else self.stream

    @property
    def digits(self) -> Sequence[int]:
        """The digits that a figure by digit shows."""
        return range(DIGITS) if self.digit is None else [self.digit]


def period_in_words(first: date | None, last: date | None) -> str:
    if first == last and first is not None:
        return f"{first:%B %Y}"
    if first is None:
        return f"until {last:%B %Y}"
    return f"{first:%B %Y} to {last:%B %Y}" if last else f"since {first:%B %Y}"


def filter_text(value: Any) -> str:
    if isinstance(value, date):
        return f"{value:%Y-%m}"
    return "" if value is None else str(value)


def read_month(name: str, text: str) -> date:
    found = MONTH.fullmatch(text)
    if found is None:
        raise UnknownFilter(name, f"{name} must be a month such as 2026-09.")
    return date(int(found[1]), int(found[2]), 1)


def read_digit(name: str, text: str) -> int:
    if len(text) != 1 or text not in "0123456789":
        raise UnknownFilter(name, f"{name} must be a digit from 0 to 9.")
    return int(text)


def read_version(name: str, text: str) -> str:
    if not A_NAME.fullmatch(text):
        raise UnknownFilter(
            name, f"{name} must have 1 to {LONGEST_NAME} characters, and no control characters."
        )
    return text


def choice_field(choices: tuple[str, ...]) -> Callable[[str, str], str]:
    def read(name: str, text: str) -> str:
        if text not in choices:
            raise UnknownFilter(name, f"{name} must be one of {', '.join(choices)}.")
        return text

    return read


READERS: dict[str, Callable[[str, str], Any]] = {
    "first": read_month,
    "last": read_month,
    "digit": read_digit,
    "version": read_version,
    "source": choice_field(SOURCES),
    "stream": choice_field(STREAMS),
}
assert list(READERS) == [field.name for field in fields(Filters)]
