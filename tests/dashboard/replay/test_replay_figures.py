"""The replay and the learning curve as figures: numbers, words, what is refused, what it costs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from dashboard.figures import periods
from dashboard.models import Mark
from dashboard.replay import replay
from predictions.models import ModelVersion
from tests.dashboard.audits import NOVEMBER, OCTOBER, SEPTEMBER, audited, label, learn
from tests.factories import make_live, make_prediction, make_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def threes() -> ModelVersion:
    """The newer of two versions; the older says seven to everything."""
    make_live("sevens", favorite=7)
    return make_version("threes", favorite=3)


def rows(client: Client, name: str, query: str = "") -> list[dict[str, Any]]:
    body = client.get(f"/dashboard/data/{name}.json{query}").json()
    keys = [column["key"] for column in body["columns"]]
    return [dict(zip(keys, row, strict=True)) for row in body["rows"]]


def test_the_matrix_has_a_row_for_each_version_and_month(
    client: Client, threes: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(periods, "ENOUGH", 1)
    for digit in (7, 7, 3):
        audited(digit, at=NOVEMBER)
    audited(7, at=SEPTEMBER)
    replay.replay_for()
    found = rows(client, "replay")
    told = {(row["version"], row["month"]): (row["right"], row["n"]) for row in found}
    assert told == {
        ("sevens", "2026-09"): (1, 1),
        ("sevens", "2026-10"): (0, 0),
        ("sevens", "2026-11"): (2, 3),
        ("threes", "2026-09"): (0, 1),
        ("threes", "2026-10"): (0, 0),
        ("threes", "2026-11"): (1, 3),
    }
    gap = next(row for row in found if row["month"] == "2026-10")
    assert gap["share"] is None
    here = next(row for row in found if row["version"] == "sevens" and row["n"] == 3)
    assert here["low"] < here["share"] < here["high"]
    assert not here["enough"]


def test_labeled_audits_that_no_version_has_read_again_are_not_called_unlabeled(
    client: Client, threes: ModelVersion
) -> None:
    audited(7, at=NOVEMBER)
    body = client.get("/dashboard/data/replay.json").json()
    assert body["sampled_from"] == body["sentence"]
    assert body["sentence"] == "No version has read an audited drawing of this kind yet."


def test_months_with_few_labels_are_put_together_to_quarters(
    client: Client, threes: ModelVersion
) -> None:
    for at in (SEPTEMBER, OCTOBER, NOVEMBER):
        audited(7, at=at)
    replay.replay_for()
    found = [row for row in rows(client, "replay") if row["version"] == "sevens"]
    assert [(row["month"], row["last"], row["n"]) for row in found] == [
        ("2026-09", "2026-09", 1),
        ("2026-10", "2026-11", 2),
    ]


def test_the_sentence_reads_the_newest_column_and_the_newest_row(
    client: Client, threes: ModelVersion
) -> None:
    for _ in range(30):
        audited(3, at=NOVEMBER)
        audited(7, at=SEPTEMBER)
    audited(3, at=NOVEMBER + timedelta(days=30))  # too few to tell
    replay.replay_for()
    said = client.get("/dashboard/data/replay.json").json()["sentence"]
    assert said.startswith("Of 100 audited drawings of November 2026, sevens reads 0 (")
    assert "threes reads 100 (" in said
    assert said.split("; ")[1].startswith("of those of September 2026, threes reads 0 (")


def test_fewer_drawings_than_are_needed_are_counted_out(
    client: Client, threes: ModelVersion
) -> None:
    audited(3)
    replay.replay_for()
    for name in ("replay", "learning-curve"):
        said = client.get(f"/dashboard/data/{name}.json").json()["sentence"]
        assert "1 of 30 needed" in said


def test_it_says_how_many_were_left_out_and_are_still_to_come(
    client: Client, threes: ModelVersion
) -> None:
    drawn = audited(7)
    copy = make_prediction(glyph=glyph_of(drawn))
    label(copy, 7)
    learn(threes, copy)
    replay.replay_for()
    audited(3)
    replay.replay_for(seconds=0)
    said = client.get("/dashboard/data/replay.json").json()["sampled_from"]
    assert said.startswith("From 2 drawings chosen at random, labeled blind, and read again by 2")
    assert "1 reading left out" in said
    assert "2 readings still to come" in said


def glyph_of(prediction: Any) -> Any:
    from predictions.glyphs.glyph import decode_glyph

    return decode_glyph(bytes(prediction.glyph))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?digit=3", {("sevens", 0), ("threes", 1)}),
        ("?version=threes&digit=3", {("threes", 1)}),
        ("?first=2026-12", set()),
        ("?stream=audit&digit=3", {("sevens", 0), ("threes", 1)}),
    ],
)
def test_filters_narrow_it(
    client: Client, threes: ModelVersion, query: str, found: set[tuple[str, int]]
) -> None:
    audited(3)
    audited(7)
    replay.replay_for()
    assert {(row["version"], row["right"]) for row in rows(client, "replay", query)} == found


@pytest.mark.parametrize("query", ["?source=api", "?stream=unsure"])
@pytest.mark.parametrize("name", ["replay", "learning-curve"])
def test_what_the_replay_does_not_keep_is_not_filtered_in_silence(
    client: Client, db: None, name: str, query: str
) -> None:
    assert "Not narrowed" in client.get(f"/dashboard/data/{name}.json{query}").json()["warning"]
    assert client.get(f"/dashboard/data/{name}.json").json()["warning"] == ""


@pytest.mark.parametrize("name", ["replay", "learning-curve", "clusters"])
def test_a_figure_costs_few_queries(
    client: Client, threes: ModelVersion, django_assert_num_queries: Any, name: str
) -> None:
    for at in (SEPTEMBER, NOVEMBER):
        for digit in (3, 7):
            audited(digit, at=at)
    replay.replay_for()
    Mark.objects.create(pk=1)  # as the cube keeps it
    most = {"clusters": 2, "replay": 3, "learning-curve": 5}[name]
    with django_assert_num_queries(most, exact=False):
        client.get(f"/dashboard/data/{name}.json")


def test_the_tag_changes_when_something_was_counted(client: Client, threes: ModelVersion) -> None:
    audited(7)
    replay.replay_for()
    before = client.get("/dashboard/data/replay.json")["ETag"]
    again = client.get("/dashboard/data/replay.json", headers={"If-None-Match": before})
    assert again.status_code == 304
    audited(7)
    replay.replay_for()
    after = client.get("/dashboard/data/replay.json", headers={"If-None-Match": before})
    assert after.status_code == 200


def test_the_learning_curve_sets_labels_against_error(client: Client, threes: ModelVersion) -> None:
    for digit in (3, 3, 3, 7):
        audited(digit)
    learned = [make_prediction() for _ in range(2)]
    for prediction in learned:
        label(prediction, 3)
    learn(threes, *learned)
    ModelVersion.objects.filter(pk=threes.pk).update(parent=threes.pk - 1)
    make_version("stranger")  # no fine-tune of what the live version was fine-tuned from
    replay.replay_for()
    sevens, after = rows(client, "learning-curve")
    assert (sevens["version"], sevens["labels"], sevens["right"], sevens["n"]) == (
        "sevens",
        0,
        3,
        4,
    )
    assert (after["version"], after["labels"], after["right"], after["n"]) == ("threes", 2, 1, 4)
    assert after["share"] == pytest.approx(0.25)


def test_weights_move_the_share_and_leave_n(client: Client, threes: ModelVersion) -> None:
    """One audited at a tenth stands for ten, one at a half for two."""
    audited(7, audit_probability=0.1)
    audited(3, audit_probability=0.5)
    replay.replay_for()
    found = rows(client, "replay", "?version=sevens")[0]
    assert (found["right"], found["n"]) == (1, 2)
    assert found["share"] == pytest.approx(10 / 12)
