"""A chart's data as one table with its text. Pure; no database."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, Literal

from labeling.files.csv_cells import cell
from predictions.shares import Z95, exact

Kind = Literal["text", "month", "day", "digit", "version", "count", "share", "number", "yesno"]
ENOUGH: Final = 30  # labels; a share of fewer is shown gray


@dataclass(frozen=True, slots=True)
class Column:
    key: str
    title: str
    kind: Kind


def share_columns(right: str = "Read right", share: str = "Accuracy") -> list[Column]:
    """The columns of every share: n, how many of them, the share, its 95% interval, and whether n
    is large enough to show it in color."""
    return [
        Column("n", "Labels", "count"),
        Column("right", right, "count"),
        Column("share", share, "share"),
        Column("low", "95% from", "share"),
        Column("high", "95% to", "share"),
        Column("enough", "Enough labels", "yesno"),
    ]


def share_cells(right: int, n: int, *, of: Share | None = None) -> list[Any]:
    """The cells for `share_columns`; None, not 0, without labels."""
    if n == 0:
        return [0, 0, None, None, None, False]
    found = of or Share.of(right, n)
    return [n, right, found.value, found.low, found.high, n >= ENOUGH]


@dataclass(frozen=True, slots=True)
class Share:
    """A share from 0 to 1 with its interval, by default at 95%."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, right: float, n: float, z: float = Z95) -> Share:
        return cls(right / n, *exact(right, n, z))

    @property
    def rest(self) -> Share:
        """The share of those that are not."""
        return Share(1 - self.value, 1 - self.high, 1 - self.low)


@dataclass(frozen=True, slots=True)
class Figure:
    """One chart's data and text; the page, the CSV and the PNG are made from it."""

    name: str  # kebab-case, for the URL and the CSV and PNG files
    title: str
    sentence: str  # the main numbers, for people who cannot see the chart
    sampled_from: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]  # in the columns' order; None is a gap, not zero
    warning: str = ""  # why it is biased, or empty
    marks: Sequence[Mapping[str, str]] = field(default_factory=list)  # promotions
    as_of: str = ""  # the state of its data; equal text means an equal figure

    def as_json(self) -> dict[str, Any]:
        shown = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**shown, "columns": [asdict(column) for column in self.columns]}

    def as_csv(self) -> str:
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column.key for column in self.columns])
        writer.writerows([[cell(value) for value in row] for row in self.rows])
        return file.getvalue()
