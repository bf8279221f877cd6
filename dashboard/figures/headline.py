"""The tiles at the top of the page: of 100 drawings, how many are read right. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.figures.figure import Figure
from dashboard.figures.heat import records
from dashboard.figures.words import percent_in_words


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
    said = [of_hundred_tile(TITLES[name], told[name]) for name in ("now", "then") if name in told]
    if "change" in told:
        change = 100 * (told["now"]["share"] - told["then"]["share"])
        number = f"{change:+.1f}".replace("-", "−")
        said.append(Tile("The change", number, told["change"]["words"]))
    return said or [Tile("Read right", "?", figure.sentence, is_gray=True)]


TITLES = {"now": "Now", "then": "In the beginning"}


def of_hundred_tile(title: str, found: Mapping[str, Any]) -> Tile:
    low, high = (percent_in_words(found[end]).removesuffix("%") for end in ("low", "high"))
    note = f"{found['words']} 95 %: {low} to {high}, from {found['n']:,} labels."
    number = percent_in_words(found["share"]).removesuffix("%")
    return Tile(title, number, note, is_gray=not found["enough"])


def correction_tiles(figure: Figure) -> list[Tile]:
    rows = records(figure)
    total = rows[-1]["total"] if rows else 0
    return [Tile("Misread so far", f"{total:,}", figure.sentence)]
