"""The tiles at the top of the page: of 100 drawings, how many are read right. Pure.

A tile is named for its month, since the newest month that can be told may be long ago.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from dashboard.figures.figure import Figure
from dashboard.figures.heat import records
from dashboard.figures.words import GAP, as_hundred, in_points


@dataclass(frozen=True, slots=True)
class Tile:
    title: str
    number: str
    note: str
    is_gray: bool = False  # too few labels


def tiles(figures: Mapping[str, Figure]) -> list[Tile]:
    """The newest month, the oldest, their difference, and the number of corrections."""
    found = []
    if "headline" in figures:
        found += accuracy_tiles(figures["headline"])
    if "corrections" in figures:
        found += correction_tiles(figures["corrections"])
    return found


def accuracy_tiles(figure: Figure) -> list[Tile]:
    """Tiles with the figure's text; the change is in points."""
    told = {each["tile"]: each for each in records(figure)}
    said = [month_tile(told[name]) for name in ("now", "then") if name in told]
    if "change" in told:
        change = in_points(told["now"]["share"] - told["then"]["share"])
        said.append(Tile("The change", change, told["change"]["words"]))
    return said or [Tile("Read right", GAP, figure.sentence, is_gray=True)]


def month_tile(found: Mapping[str, Any]) -> Tile:
    title = f"{date.fromisoformat(found['month'] + '-01'):%B %Y}"
    return Tile(title, as_hundred(found["share"]), found["words"])


def correction_tiles(figure: Figure) -> list[Tile]:
    rows = records(figure)
    total = rows[-1]["total"] if rows else 0
    return [Tile("Found to be misread", f"{total:,}", figure.sentence)]
