"""Heat maps as HTML tables: the text, color and link of each cell. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from dashboard.figures.figure import Figure
from dashboard.figures.words import month_in_words, percent_in_words, share_in_words

GAP: Final = "gap"
FEW: Final = "few"
SAME: Final = "same"
# Shares of mistakes at which the color gets one step darker. Steps are small near 0, where most
# shares are.
STEPS: Final = (0.01, 0.02, 0.04, 0.07, 0.11, 0.2)


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


def look_of(wrong: float) -> str:
    """The CSS class of the color for a share of mistakes."""
    return f"heat-{sum(wrong >= step for step in STEPS)}"


def records(figure: Figure) -> list[dict[str, Any]]:
    keys = [column.key for column in figure.columns]
    return [dict(zip(keys, row, strict=True)) for row in figure.rows]


def scale_of_mistakes() -> list[tuple[str, str]]:
    """The legend, in terms of accuracy."""
    edges = [1 - step for step in STEPS]
    said = [("heat-0", f"over {edges[0]:.0%}")]
    for at, edge in enumerate(edges[1:], start=1):
        said.append((f"heat-{at}", f"over {edge:.0%}"))
    return [*said, (f"heat-{len(STEPS)}", f"{edges[-1]:.0%} or less"), (FEW, "too few labels")]


def months_and_digits(figure: Figure, query: Mapping[str, str]) -> Grid:
    """Accuracy: a row for each month, a column for each digit."""
    found = {(each["month"], each["label"]): each for each in records(figure)}
    months = sorted({month for month, _ in found})
    digits = sorted({digit for _, digit in found})
    return Grid(
        corner="Month",
        across="Digit",
        heads=[str(digit) for digit in digits],
        rows=[
            Row(
                month_in_words(month),
                [accuracy_cell(found[month, digit], query) for digit in digits],
            )
            for month in months
        ],
        scale=scale_of_mistakes(),
    )


def accuracy_cell(found: Mapping[str, Any], query: Mapping[str, str]) -> HeatCell:
    where = f"{month_in_words(found['month'])}, digit {found['label']}"
    if found["share"] is None:
        return HeatCell("", "", f"{where}: no labels", GAP)
    there = {**query, "first": found["month"], "last": found["month"], "label": found["label"]}
    return HeatCell(
        text=percent_in_words(found["share"]).removesuffix("%"),
        note=f"{found['n']:,}",
        title=f"{where}: {share_in_words(found)}{'' if found['enough'] else '; too few to say'}",
        look=look_of(1 - found["share"]) if found["enough"] else FEW,
        query=urlencode(there),
    )


def truths_and_readings(figure: Figure, query: Mapping[str, str]) -> Grid:
    """The confusion matrix: a row for each label, a column for each digit read."""
    found = {(each["label"], each["predicted"]): each for each in records(figure)}
    labels = sorted({label for label, _ in found})
    digits = sorted({digit for _, digit in found})
    said = [f"under {step:.0%}" for step in STEPS] + [f"{STEPS[-1]:.0%} or more"]
    shades = [(f"heat-{at}", words) for at, words in enumerate(said)]
    return Grid(
        corner="Is",
        across="Read as",
        heads=[str(digit) for digit in digits],
        rows=[
            Row(str(label), [reading_cell(found[label, digit], query) for digit in digits])
            for label in labels
        ],
        scale=[(SAME, "read right"), *shades, (FEW, "too few labels")],
    )


def reading_cell(found: Mapping[str, Any], query: Mapping[str, str]) -> HeatCell:
    label, predicted, count, n = (found[key] for key in ("label", "predicted", "count", "n"))
    is_right = label == predicted
    if not count:
        return HeatCell("", "", f"no {label} was read as {predicted}", SAME if is_right else GAP)
    said = (
        f"{found['share']:.1%} of drawings of {label} were read as {predicted}:"
        f" {count:,} of {n:,} labeled"
    )
    look = SAME if is_right else look_of(found["share"]) if found["enough"] else FEW
    there = {**query, "label": label, "predicted": predicted}
    return HeatCell(f"{count:,}", "", said, look, urlencode(there))


def versions_and_months(figure: Figure, query: Mapping[str, str]) -> Grid:
    """Accuracy: a row for each version, a column for each month of drawings."""
    found = {(each["version"], each["month"]): each for each in records(figure)}
    months = sorted({month for _, month in found})
    return Grid(
        corner="Version",
        across="Drawings of",
        heads=[month_in_words(month) for month in months],
        rows=[
            Row(version, [replay_cell(found[version, month]) for month in months])
            for version in dict.fromkeys(version for version, _ in found)
        ],
        scale=scale_of_mistakes(),
    )


def replay_cell(found: Mapping[str, Any]) -> HeatCell:
    where = f"{found['version']} on {month_in_words(found['month'])}"
    if found["share"] is None:
        return HeatCell("", "", f"{where}: no labels", GAP)
    low, high = (percent_in_words(found[end]).removesuffix("%") for end in ("low", "high"))
    return HeatCell(
        text=percent_in_words(found["share"]).removesuffix("%"),
        note=f"{low}–{high}, n {found['n']:,}",
        title=f"{where}: {share_in_words(found)}{'' if found['enough'] else '; too few to say'}",
        look=look_of(1 - found["share"]) if found["enough"] else FEW,
    )


GRIDS: dict[str, Callable[[Figure, Mapping[str, str]], Grid]] = {
    "accuracy-by-month-and-digit": months_and_digits,
    "true-by-predicted": truths_and_readings,
    "replay": versions_and_months,
}
