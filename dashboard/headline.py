"""The first thing the page says: what became of 100 drawings, then and now. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from dashboard.figure import Figure
from dashboard.heat import records


@dataclass(frozen=True, slots=True)
class Tile:
    title: str
    number: str
    note: str
    is_gray: bool = False  # rests on too little


def tiles(figures: Mapping[str, Figure]) -> list[Tile]:
    """The newest month, the oldest, and what people corrected; of the figures that are there."""
    found = []
    if "accuracy-by-month" in figures:
        found += accuracies(figures["accuracy-by-month"])
    if "corrections" in figures:
        found += corrections(figures["corrections"])
    return found


def accuracies(figure: Figure) -> list[Tile]:
    months = [each for each in records(figure) if each["share"] is not None]
    if not months:
        return [Tile("Read right", "?", "nothing chosen at random is labeled yet")]
    return [of_hundred(each) for each in (months[-1], months[0])[: len(months)]]


def of_hundred(found: Mapping[str, Any]) -> Tile:
    month = date.fromisoformat(found["month"] + "-01")
    low, high = (hundredths(found[end]) for end in ("low", "high"))
    between = f"{low} to {high}" if low != high else low
    return Tile(
        title=f"In {month:%B %Y}",
        number=hundredths(found["share"]),
        note=f"of 100 drawings were read right; {between}, as far as {found['n']:,} labels tell",
        is_gray=not found["enough"],
    )


def hundredths(share: float) -> str:
    """Out of a hundred, whole where it tells enough; never 100 while something was wrong."""
    number = round(100 * share, 1 if share > 0.985 else 0)
    return f"{min(number, 99.9) if share < 1 else number:g}"


def corrections(figure: Figure) -> list[Tile]:
    rows = records(figure)
    total = rows[-1]["total"] if rows else 0
    return [
        Tile("Corrected so far", f"{total or 0:,}", "drawings whose label contradicts the guess")
    ]
