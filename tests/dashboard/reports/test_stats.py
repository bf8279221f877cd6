"""The exported files: tidy, explained, nobody's, and the same figures as the page's."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from dashboard.figures import catalog
from dashboard.reports import stats
from dashboard.reports.stats import FIGURES, TABLES, export_stats
from labeling.models import Label
from predictions.models import ModelVersion, Prediction
from tests.dashboard.months import make_history
from tests.factories import make_prediction, make_version
from training.models import Promotion

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(live_version: ModelVersion, tmp_path: Path) -> Path:
    make_history(live_version)
    export_stats(tmp_path)
    return tmp_path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_figure_is_the_text_its_page_hands_out(folder: Path, client: Client) -> None:
    assert catalog.FIGURES
    for name in catalog.FIGURES:
        answer = client.get(f"/dashboard/data/{name}.csv")
        if answer.status_code == 200:  # others ask for a permission
            assert (folder / FIGURES / f"{name}.csv").read_text() == answer.content.decode(), name
    told = {row["name"]: row for row in read(folder / "figures.csv")}
    assert set(told) == set(catalog.FIGURES)
    page = client.get("/dashboard/data/accuracy-by-month.json").json()
    assert told["accuracy-by-month"]["sentence"] == page["sentence"]
    assert told["accuracy-by-month"]["sampled_from"] == page["sampled_from"]


def test_a_figure_can_be_counted_again_from_the_predictions(folder: Path) -> None:
    n, right = Counter[str](), Counter[str]()
    for row in read(folder / "predictions.csv"):
        if row["is_audit"] == "true" and row["label"].isdigit():
            n[row["day"][:7]] += 1
            right[row["day"][:7]] += row["is_right"] == "true"
    told = {row["month"]: row for row in read(folder / FIGURES / "accuracy-by-month.csv")}
    assert {month: (int(row["n"]), int(row["right"])) for month, row in told.items()} == {
        month: (n[month], right[month]) for month in n
    }


def test_the_cells_add_up_to_the_predictions(folder: Path) -> None:
    cells = read(folder / "cells.csv")
    predictions = read(folder / "predictions.csv")
    assert sum(int(row["count"]) for row in cells) == len(predictions) == Prediction.objects.count()
    by_label = Counter[str]()
    for row in cells:
        by_label[row["label"]] += int(row["count"])
    assert by_label == Counter(row["label"] for row in predictions)
    assert len(read(folder / "labels.csv")) == Label.objects.count()


def test_the_dictionary_explains_every_column_of_every_file(folder: Path) -> None:
    explained: dict[str, list[str]] = {}
    for row in read(folder / "dictionary.csv"):
        assert row["unit"]
        assert row["meaning"]
        explained.setdefault(row["file"], []).append(row["column"])
    for path in folder.rglob("*.csv"):
        name = str(path.relative_to(folder))
        if name != "dictionary.csv":
            with path.open(newline="") as file:
                assert next(csv.reader(file)) == explained.pop(name), name
    assert not explained


def test_nothing_says_who_a_visitor_is(folder: Path, tmp_path: Path) -> None:
    export_stats(tmp_path / "again")
    text = "".join(path.read_text() for path in folder.rglob("*.csv"))
    for row in Prediction.objects.all():
        assert str(row.public_id) not in text
        assert str(row.visitor) not in text
    assert "demo-like-labeler" not in text
    first, again = (read(at / "predictions.csv") for at in (folder, tmp_path / "again"))
    drawers = [{row["drawer"] for row in rows} for rows in (first, again)]
    assert [len(numbers) for numbers in drawers] == [9, 9]
    assert not drawers[0] & drawers[1]  # numbers of two exports cannot be put together
    groups = [
        [[row["prediction"] for row in rows if row["drawer"] == number] for number in sorted(each)]
        for rows, each in zip((first, again), drawers, strict=True)
    ]
    assert sorted(groups[0]) == sorted(groups[1])


def test_no_cell_is_a_formula(live_version: ModelVersion, tmp_path: Path) -> None:
    evil = make_version("=HYPERLINK(1)")
    make_prediction(version=evil)
    Promotion.objects.create(
        kind="promotion", before=live_version, after=evil, why="@SUM(1+1)*cmd|' /C calc'!A0"
    )
    export_stats(tmp_path)
    starts = ("=", "+", "-", "@", "\t", "\r")
    for path in tmp_path.rglob("*.csv"):
        for row in csv.reader(io.StringIO(path.read_text())):
            assert not [value for value in row if value.startswith(starts)], path.name
    assert "'=HYPERLINK(1)" in (tmp_path / "versions.csv").read_text()
    assert "'@SUM" in (tmp_path / "promotions.csv").read_text()


def test_memory_stays_flat(
    live_version: ModelVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_history(live_version, drawings=600)
    monkeypatch.setattr(stats, "AT_ONCE", 50)
    (predictions,) = [table for table in TABLES if table.name == "predictions"]
    export_stats(tmp_path, tables=[predictions])  # caches are warm after this
    peaks = []
    for most in (100, 600):
        limited = stats.Table(
            "predictions", "", predictions.fields, lambda most=most: some(predictions, most)
        )
        tracemalloc.start()
        lines = stats.lines_of(limited, stats.new_pseudonyms(), lambda count: None)
        assert stats.write_whole(tmp_path / "predictions.csv", ["x"], lines) == most
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def some(table: stats.Table, most: int) -> Any:
    for number, row in enumerate(table.rows()):
        if number == most:
            return
        yield row


def test_the_command_takes_the_filters_of_the_page(
    live_version: ModelVersion, tmp_path: Path, client: Client
) -> None:
    make_history(live_version)
    call_command("export_stats", str(tmp_path), "--filter", "digit=3", stdout=io.StringIO())
    page = client.get("/dashboard/data/accuracy-by-month.csv?digit=3").content.decode()
    assert (tmp_path / FIGURES / "accuracy-by-month.csv").read_text() == page
    with pytest.raises(CommandError, match="no filter 'years'"):
        call_command("export_stats", str(tmp_path), "--filter", "years=3")
    with pytest.raises(CommandError, match="NAME=VALUE"):
        call_command("export_stats", str(tmp_path), "--filter", "digit")
