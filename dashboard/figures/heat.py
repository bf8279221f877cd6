"""Heat maps as HTML tables: the text, color and link of each cell. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlencode

from dashboard.figures.figure import Figure
from dashboard.figures.words import percent_in_words, share_in_words, span_in_words

GAP: Final = "gap"
FEW: Final = "few"
SAME: Final = "same"
# Where the color gets one step darker, as parts of the largest usual share of mistakes. Steps are
# small near 0, where most shares are.
PARTS: Final = (0.05, 0.1, 0.2, 0.35, 0.55, 1.0)
LARGEST: Final = (0.02, 0.05, 0.1, 0.2, 0.5)  # what that share is rounded up to
USUAL: Final = 0.9  # of the cells have at most the largest usual share


@dataclass(frozen=True, slots=True)
class HeatCell:
    text: str
    note: str  # the second line: n
    title: str  # the full text
    look: str  # a CSS class: the color's step, or that labels are missing or too few
    query: str = ""  # the query string of the page with its drawings


@dataclass(frozen=True, slots=True)
class Row:
    head: str
    cells: list[HeatCell]


@dataclass(frozen=True, slots=True)
class Grid:
    corner: str
    across: str  # the title of the columns
    heads: list[str]
    rows: list[Row]
    scale: list[tuple[str, str]]  # (class, words) of the legend


@dataclass(frozen=True, slots=True)
class Shades:
    """The shares of mistakes at which the color changes."""

    steps: tuple[float, ...]

    @classmethod
    def fitted(cls, mistakes: Iterable[float]) -> Self:
        """Shades in which most of these shares differ."""
        found = sorted(mistakes)
        if not found:
            return cls(())
        usual = found[math.ceil(USUAL * (len(found) - 1))]
        largest = next((each for each in LARGEST if each >= usual), LARGEST[-1])
        return cls(tuple(round(part * largest, 3) for part in PARTS))  # a decimal of percent

    def look(self, wrong: float) -> str:
        """The CSS class of the color for a share of mistakes."""
        return f"heat-{sum(wrong >= step for step in self.steps)}"

    @property
    def legend(self) -> list[tuple[str, str]]:
        """In terms of accuracy. Without shares there are no colors to explain."""
        edges = [in_percent(1 - step) for step in self.steps]
        said = [f"over {edge}" for edge in edges] + [f"{edge} or less" for edge in edges[-1:]]
        return [*self.named(said), (FEW, "too few labels")]

    @property
    def legend_of_mistakes(self) -> list[tuple[str, str]]:
        edges = [in_percent(step) for step in self.steps]
        said = [f"under {edge}" for edge in edges] + [f"{edge} or more" for edge in edges[-1:]]
        return [(SAME, "read right"), *self.named(said), (FEW, "too few labels")]

    def named(self, said: list[str]) -> list[tuple[str, str]]:
        return [(f"heat-{at}", words) for at, words in enumerate(said)]


def in_percent(share: float) -> str:
    return f"{round(100 * share, 1):g}%"


def shades_of_accuracy(cells: Iterable[Mapping[str, Any]]) -> Shades:
    return Shades.fitted(1 - each["share"] for each in cells if each["enough"])


def records(figure: Figure) -> list[dict[str, Any]]:
    keys = [column.key for column in figure.columns]
    return [dict(zip(keys, row, strict=True)) for row in figure.rows]


def months_and_digits(figure: Figure, query: Mapping[str, str]) -> Grid:
    """Accuracy: a row for each period, a column for each digit."""
    found = {(each["month"], each["last"], each["label"]): each for each in records(figure)}
    shades = shades_of_accuracy(found.values())
    periods = sorted({(first, last) for first, last, _ in found})
    digits = sorted({digit for *_, digit in found})
    return Grid(
        corner="Period",
        across="Digit",
        heads=[str(digit) for digit in digits],
        rows=[
            Row(
                span_in_words(*period),
                [accuracy_cell(found[(*period, digit)], query, shades) for digit in digits],
            )
            for period in periods
        ],
        scale=shades.legend,
    )


def accuracy_cell(found: Mapping[str, Any], query: Mapping[str, str], shades: Shades) -> HeatCell:
    where = f"{span_in_words(found['month'], found['last'])}, digit {found['label']}"
    if found["share"] is None:
        return HeatCell("", "", f"{where}: no labels", GAP)
    there = {**query, "first": found["month"], "last": found["last"], "label": found["label"]}
    return HeatCell(
        text=percent_in_words(found["share"]).removesuffix("%"),
        note=f"{found['n']:,}",
        title=f"{where}: {share_in_words(found)}{'' if found['enough'] else '; too few to say'}",
        look=shades.look(1 - found["share"]) if found["enough"] else FEW,
        query=urlencode(there),
    )


def truths_and_readings(figure: Figure, query: Mapping[str, str]) -> Grid:
    """The confusion matrix: a row for each label, a column for each digit read."""
    found = {(each["label"], each["predicted"]): each for each in records(figure)}
    labels = sorted({label for label, _ in found})
    digits = sorted({digit for _, digit in found})
    shades = Shades.fitted(
        each["share"]
        for (label, digit), each in found.items()
        if label != digit and each["count"] and each["enough"]
    )
    return Grid(
        corner="Is",
        across="Read as",
        heads=[str(digit) for digit in digits],
        rows=[
            Row(str(label), [reading_cell(found[label, digit], query, shades) for digit in digits])
            for label in labels
        ],
        scale=shades.legend_of_mistakes,
    )


def reading_cell(found: Mapping[str, Any], query: Mapping[str, str], shades: Shades) -> HeatCell:
    label, predicted, count, n = (found[key] for key in ("label", "predicted", "count", "n"))
    is_right = label == predicted
    if not count:
        return HeatCell("", "", f"no {label} was read as {predicted}", SAME if is_right else GAP)
    said = (
        f"{found['share']:.1%} of drawings of {label} were read as {predicted}:"
        f" {count:,} of {n:,} labeled"
    )
    look = SAME if is_right else shades.look(found["share"]) if found["enough"] else FEW
    there = {**query, "label": label, "predicted": predicted}
    return HeatCell(f"{count:,}", "", said, look, urlencode(there))


def versions_and_months(figure: Figure, query: Mapping[str, str]) -> Grid:
    """Accuracy: a row for each version, a column for each period of drawings."""
    found = {(each["version"], each["month"], each["last"]): each for each in records(figure)}
    shades = shades_of_accuracy(found.values())
    periods = sorted({(first, last) for _, first, last in found})
    return Grid(
        corner="Version",
        across="Drawings of",
        heads=[span_in_words(*period) for period in periods],
        rows=[
            Row(
                version,
                [replay_cell(found[(version, *period)], query, shades) for period in periods],
            )
            for version in dict.fromkeys(version for version, *_ in found)
        ],
        scale=shades.legend,
    )


def replay_cell(found: Mapping[str, Any], query: Mapping[str, str], shades: Shades) -> HeatCell:
    where = f"{found['version']} on {span_in_words(found['month'], found['last'])}"
    if found["share"] is None:
        return HeatCell("", "", f"{where}: no labels", GAP)
    # Every version read the same drawings, so the cell does not name its own.
    narrow = {name: value for name, value in query.items() if name == "digit"}
    there = {**narrow, "first": found["month"], "last": found["last"]}
    low, high = (percent_in_words(found[end]).removesuffix("%") for end in ("low", "high"))
    return HeatCell(
        text=percent_in_words(found["share"]).removesuffix("%"),
        note=f"{low}–{high}\nn {found['n']:,}",
        title=f"{where}: {share_in_words(found)}{'' if found['enough'] else '; too few to say'}",
        look=shades.look(1 - found["share"]) if found["enough"] else FEW,
        query=urlencode(there),
    )


GRIDS: dict[str, Callable[[Figure, Mapping[str, str]], Grid]] = {
    "accuracy-by-month-and-digit": months_and_digits,
    "true-by-predicted": truths_and_readings,
    "replay": versions_and_months,
}
