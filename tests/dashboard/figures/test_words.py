"""Numbers as people read them, and the colors that stand for them. No database."""

from __future__ import annotations

import pytest

from dashboard.figures.figure import Column, Figure, share_cells, share_columns
from dashboard.figures.heat import (
    FEW,
    GAP,
    SAME,
    Shades,
    months_and_digits,
    truths_and_readings,
    versions_and_months,
)
from dashboard.figures.periods import PERIOD
from dashboard.figures.words import (
    about,
    end_in_points,
    percent_in_words,
    span_in_words,
    value_in_words,
)


@pytest.mark.parametrize(
    ("share", "said"),
    [(1, "100%"), (0.9996, "99.9%"), (0.9841, "98.4%"), (0.94, "94%"), (0.0, "0%"), (0.5, "50%")],
)
def test_a_share_is_never_rounded_to_everything(share: float, said: str) -> None:
    assert percent_in_words(share) == said


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0"), (7, "7"), (42, "42"), (2_658, "2,700"), (99_600, "100,000")]
)
def test_an_estimated_count_has_two_digits(count: int, said: str) -> None:
    assert about(count) == said


@pytest.mark.parametrize(
    ("end", "said"), [(-0.0003, "−0.03"), (0.0003, "+0.03"), (0.0, "0.0"), (-0.0241, "−2.4")]
)
def test_an_end_near_nothing_says_on_which_side_it_lies(end: float, said: str) -> None:
    assert end_in_points(end) == said


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        (None, "count", "–"),
        (0, "count", "0"),
        (12345, "count", "12,345"),
        ("2026-09", "month", "Sep 2026"),
        ("2026-09-04", "day", "Sep 4, 2026"),
        (True, "yesno", "yes"),
        (0.25, "number", "0.25"),
        ("base-1", "version", "base-1"),
    ],
)
def test_a_gap_is_no_zero_and_each_kind_has_its_words(value: object, kind: str, said: str) -> None:
    assert value_in_words(value, Column("key", "Title", kind)) == said  # type: ignore[arg-type]


def test_the_color_deepens_with_the_share_of_mistakes() -> None:
    shades = Shades.fitted([0.2])
    looks = [shades.look(wrong) for wrong in (0.0, 0.01, 0.02, 0.05, 0.08, 0.15, 0.2, 1.0)]
    assert looks == [f"heat-{at}" for at in (0, 1, 2, 3, 4, 5, 6, 6)]


@pytest.mark.parametrize("around", [0.004, 0.03, 0.3])
def test_the_colors_fit_the_shares_there_are(around: float) -> None:
    found = [around * part / 10 for part in range(1, 11)]
    shades = Shades.fitted(found)
    assert len({shades.look(wrong) for wrong in found}) >= 4
    assert shades.look(0.0) == "heat-0"


def test_one_cell_far_from_the_others_does_not_take_the_colors_of_all() -> None:
    found = [0.01 * part / 10 for part in range(20)]
    assert Shades.fitted([*found, 0.9]) == Shades.fitted(found)
    assert Shades.fitted([0.9]).look(0.9) == "heat-6"


def test_the_legend_names_the_edges_it_colors_by() -> None:
    legend = dict(Shades.fitted([0.01]).legend)
    assert legend["heat-0"] == "over 99.9%"
    assert legend["heat-6"] == "98% or less"
    assert Shades.fitted([]).legend == [(FEW, "too few labels")]


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2026-09", "2026-09", "Sep 2026"),
        ("2026-07", "2026-09", "Q3 2026"),
        ("2026-08", "2026-09", "Aug–Sep 2026"),
        ("2026-02", "2026-04", "Feb–Apr 2026"),
        ("2026-01", "2026-12", "2026"),
    ],
)
def test_a_period_has_the_words_people_use(first: str, last: str, said: str) -> None:
    assert span_in_words(first, last) == said


def figure(columns: list[Column], rows: list[list[object]]) -> Figure:
    return Figure("name", "Title", "It shows.", "From all.", columns, rows)


def test_a_month_without_labels_is_empty_and_one_with_few_is_gray() -> None:
    columns = [*PERIOD, Column("label", "Digit", "digit")]
    rows = [
        ["2026-09", "2026-09", 0, *share_cells(29, 29)],
        ["2026-09", "2026-09", 1, *share_cells(90, 100)],
        ["2026-10", "2026-12", 0, *share_cells(0, 0)],
        ["2026-10", "2026-12", 1, *share_cells(100, 100)],
    ]
    grid = months_and_digits(figure([*columns, *share_columns()], rows), {"source": "draw"})
    assert [row.head for row in grid.rows] == ["Sep 2026", "Q4 2026"]
    cells = [cell for row in grid.rows for cell in row.cells]
    assert [cell.look for cell in cells] == [FEW, "heat-5", GAP, "heat-0"]
    assert [cell.text for cell in cells] == ["100", "90", "", "100"]
    assert cells[1].query == "source=draw&first=2026-09&last=2026-09&label=1"
    assert cells[1].title == "Sep 2026, digit 1: 90% of 100 (95%: 82.4% to 95.1%)"
    assert cells[2].query == ""


def test_a_cell_of_the_replay_leads_to_the_drawings_that_every_version_read() -> None:
    columns = [Column("version", "Version", "version"), *PERIOD, *share_columns()]
    rows: list[list[object]] = [["a-1", "2026-07", "2026-09", *share_cells(90, 100)]]
    grid = versions_and_months(figure(columns, rows), {"digit": "3", "version": "a-1"})
    (cell,) = grid.rows[0].cells
    assert cell.query == "digit=3&first=2026-07&last=2026-09"
    assert cell.title.startswith("a-1 on Q3 2026: 90% of 100 (95%: ")
    assert cell.note.endswith("\nn 100")


def test_what_was_read_right_has_no_color_of_a_mistake() -> None:
    columns = [
        Column("label", "It was", "digit"),
        Column("predicted", "Read as", "digit"),
        Column("count", "Drawings", "count"),
        Column("n", "Drawings of the digit", "count"),
        Column("share", "Share", "share"),
        Column("enough", "Enough", "yesno"),
    ]
    rows = [
        [0, 0, 90, 100, 0.9, True],
        [0, 1, 10, 100, 0.1, True],
        [1, 0, 0, 10, 0.0, False],
        [1, 1, 8, 10, 0.8, False],
        [2, 0, 1, 10, 0.1, False],
        [2, 1, 0, 10, 0.0, False],
    ]
    grid = truths_and_readings(figure(columns, rows), {})
    looks = [[cell.look for cell in row.cells] for row in grid.rows]
    assert looks == [[SAME, "heat-6"], [GAP, SAME], [FEW, GAP]]
    assert grid.rows[0].cells[1].query == "label=0&predicted=1"
