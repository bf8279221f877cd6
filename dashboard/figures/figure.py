"""What a chart shows, as one table with its words. Pure; no database."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, Literal

from predictions.shares import Z95, wilson

Kind = Literal["text", "month", "day", "digit", "version", "count", "share", "number", "yesno"]
ENOUGH: Final = 30  # labels; a share of fewer is shown gray
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


@dataclass(frozen=True, slots=True)
class Column:
    key: str
    title: str
    kind: Kind


def share_columns(right: str = "Read right", share: str = "Accuracy") -> list[Column]:
    """A share is always these: of how many, how many, the share, its 95 % interval, and whether
    there are enough of them to show it in color."""
    return [
        Column("n", "Labels", "count"),
        Column("right", right, "count"),
        Column("share", share, "share"),
        Column("low", "95 % from", "share"),
        Column("high", "95 % to", "share"),
        Column("enough", "Enough labels", "yesno"),
    ]


def share_cells(right: int, n: int, *, of: Share | None = None) -> list[Any]:
    """The cells of `share_columns`; a gap where there is nothing, not zero."""
    if n == 0:
        return [0, 0, None, None, None, False]
    found = of or Share.of(right, n)
    return [n, right, found.value, found.low, found.high, n >= ENOUGH]


@dataclass(frozen=True, slots=True)
class Share:
    """A share of 1 with its interval, 95 % unless told."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, right: float, n: float, z: float = Z95) -> Share:
        return cls(right / n, *wilson(right, n, z))


@dataclass(frozen=True, slots=True)
class Figure:
    """One chart's numbers and words; the page, the CSV and the picture are all made of it."""

    name: str  # kebab-case: in the address, of the CSV and of the PNG
    title: str
    sentence: str  # what it shows, with its main numbers, for those who cannot see it
    sampled_from: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]  # in the columns' order; None is a gap, not zero
    warning: str = ""  # why it is biased, or empty
    marks: Sequence[Mapping[str, str]] = field(default_factory=list)  # promotions
    as_of: str = ""  # what it was counted from; equal marks, equal figures

    def as_json(self) -> dict[str, Any]:
        shown = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**shown, "columns": [asdict(column) for column in self.columns]}

    def as_csv(self) -> str:
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column.key for column in self.columns])
        writer.writerows([[cell(value) for value in row] for row in self.rows])
        return file.getvalue()


def cell(value: Any) -> Any:
    """A value as a spreadsheet shows it; text can never be taken for a formula."""
    if isinstance(value, str):
        return "'" + value if value.startswith(FORMULA_STARTS) else value
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else value
