"""What the figures say, from drawings to the address."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from dashboard.cube.counting import catch_up
from dashboard.figures import accuracy, labels
from dashboard.figures.catalog import FIGURES, make_figure
from dashboard.figures.figure import Column, Figure
from dashboard.figures.sample import accuracy_cells, together
from dashboard.filters import Filters
from labeling.batches.batches import restate_many
from labeling.decisions.decisions import Answer, label_by_feedback, settle
from labeling.files.csv_cells import FORMULA_STARTS
from labeling.models import LabelEvent, Stream
from labeling.queue.intake import enqueue_new
from predictions.models import ModelVersion, Owner, Prediction
from tests.factories import make_live, make_prediction, make_user
from tests.labeling.door import Door, make_item
from training.models import Promotion

pytestmark = pytest.mark.django_db
AUTUMN = datetime(2026, 9, 15, 16, tzinfo=UTC)


def label(made: Prediction, digit: int | None) -> None:
    """An audit is answered by a labeler; a reviewer rules on anything else."""
    enqueue_new()
    if made.is_audit:
        LabelEvent.objects.create(
            prediction=made, kind="label", digit=digit, is_unreadable=digit is None
        )
        restate_many([made.pk])
    else:
        settle(made.public_id, Answer(digit), reviewer=make_or_get(), request_id=uuid.uuid4())


def make_or_get() -> Any:
    from django.contrib.auth.models import User

    return User.objects.filter(username="kim").first() or make_user("kim")


def audits(count: int, *, digit: int = 7, label_as: int | None = 7, **fields: Any) -> None:
    for _ in range(count):
        made = make_prediction(digit=digit, is_audit=True, **{"created_at": AUTUMN, **fields})
        label(made, label_as)


def rows(name: str, **filters: Any) -> list[dict[str, Any]]:
    catch_up()
    figure = make_figure(name, Filters(**filters))
    keys = [column.key for column in figure.columns]
    return [dict(zip(keys, row, strict=True)) for row in figure.rows]


def test_accuracy_counts_audits_alone_and_leaves_unreadable_ones_out(
    live_version: ModelVersion,
) -> None:
    audits(3)
    audits(1, label_as=1)
    audits(1, label_as=None)
    label(make_prediction(digit=7, created_at=AUTUMN), 2)
    make_prediction(is_audit=True, created_at=AUTUMN)
    (row,) = rows("accuracy-by-month")
    assert (row["n"], row["right"], row["share"]) == (4, 3, 0.75)
    assert 0 < row["low"] < 0.75 < row["high"] < 1
    figure = make_figure("accuracy-by-month", Filters())
    for words in (
        "From 4 drawings chosen at random",
        "1 more was unreadable",
        "1 is not labeled",
    ):
        assert words in figure.sampled_from
    assert not figure.warning


def test_a_contradicted_audit_counts_before_its_second_opinion(live_version: ModelVersion) -> None:
    made = make_prediction(digit=7, is_audit=True, created_at=AUTUMN)
    enqueue_new()
    LabelEvent.objects.create(
        prediction=made, kind="label", digit=1, labeler=make_user(), stream="audit",
        wants_second=True,
    )  # fmt: skip
    (row,) = rows("accuracy-by-month")
    assert (row["n"], row["right"]) == (1, 0)
    assert "1 waits for another opinion" in make_figure("accuracy-by-month", Filters()).sampled_from


def test_accuracy_over_all_labeled_drawings_says_that_it_is_biased(
    live_version: ModelVersion,
) -> None:
    audits(1)
    label(make_prediction(digit=7, created_at=AUTUMN), 2)
    (row,) = rows("accuracy-of-all-labeled")
    assert (row["n"], row["right"]) == (2, 1)
    assert make_figure("accuracy-of-all-labeled", Filters()).warning.startswith("Biased")
    assert make_figure("accuracy-by-month", Filters(stream="review")).warning.startswith("Biased")


def test_drawings_with_different_chances_are_weighted(live_version: ModelVersion) -> None:
    audits(10, audit_probability=0.1)  # stand for 100 drawings
    audits(10, audit_probability=1.0, label_as=1)  # stand for 10
    (row,) = rows("accuracy-by-month")
    assert (row["n"], row["right"]) == (20, 10)
    assert row["share"] == pytest.approx(100 / 110)
    assert "weighted" in make_figure("accuracy-by-month", Filters()).sampled_from


def test_each_digit_has_its_own_share(live_version: ModelVersion) -> None:
    audits(2)
    audits(1, label_as=1, created_at=AUTUMN + timedelta(days=2))
    by_digit = {row["label"]: row for row in rows("accuracy-by-digit")}
    assert [by_digit[7]["right"], by_digit[1]["n"], by_digit[1]["share"]] == [2, 1, 0.0]
    assert by_digit[0]["share"] is None
    heat = [row for row in rows("accuracy-by-month-and-digit") if row["n"]]
    assert [(row["month"], row["label"]) for row in heat] == [("2026-09", 1), ("2026-09", 7)]
    cells = {(row["label"], row["predicted"]): row["count"] for row in rows("true-by-predicted")}
    assert (cells[7, 7], cells[1, 7], cells[7, 1]) == (2, 1, 0)
    assert "3 of 30 needed" in make_figure("true-by-predicted", Filters()).sentence


def test_plain_words_say_what_changed_and_whether_it_is_chance(live_version: ModelVersion) -> None:
    later = AUTUMN + timedelta(days=61)
    for right, wrong, at in ((38, 2, AUTUMN), (39, 1, later)):
        audits(right, created_at=at)
        audits(wrong, label_as=1, created_at=at)
    now, then, change = [row["words"] for row in rows("headline")]
    assert now.startswith("Of 100 drawings in November 2026, 97.5 (95% sure between ")
    assert then.startswith("Of 100 drawings in September 2026, 95")
    assert change == (
        "That is 2.5 of 100 more than in September 2026: not more than chance could make it."
    )


def test_confidence_is_shown_for_all_drawings(live_version: ModelVersion) -> None:
    for confidence in (0.55, 0.97, 0.999, 1.0):
        make_prediction(confidence=confidence, created_at=AUTUMN)
    counted = {row["low"]: row["count"] for row in rows("confidence-histogram-by-month")}
    assert (counted[0.5], counted[0.9]) == (1, 3)
    (month,) = rows("confidence-by-month")
    assert month["mean"] == pytest.approx((0.55 + 0.97 + 0.999 + 1) / 4)
    assert {row["predicted"]: row["drawings"] for row in rows("confidence-by-digit")}[7] == 4


def test_a_density_has_the_area_of_one_and_its_top_where_the_drawings_are(
    live_version: ModelVersion,
) -> None:
    for confidence in (0.05, *[0.96] * 8, 1.0):
        make_prediction(confidence=confidence, created_at=AUTUMN)
    found = [
        (-math.log10(1 - row["confidence"]), row["density"])
        for row in rows("confidence-density-by-month")
    ]
    assert found[0][0] == 0
    assert found[-1][0] == pytest.approx(4)
    strips = [(x2 - x1) * (y1 + y2) / 2 for (x1, y1), (x2, y2) in pairwise(found)]
    assert sum(strips) == pytest.approx(1, abs=0.01)
    top, _ = max(found, key=lambda each: each[1])
    assert -math.log10(0.04) <= top <= -math.log10(0.03)  # in the bin from 0.96 to 0.97
    assert "normal kernel" in make_figure("confidence-density-by-month", Filters()).sampled_from


def test_a_day_shows_its_28_days_and_its_own_labels(live_version: ModelVersion) -> None:
    for days, right, wrong in ((0, 3, 1), (10, 2, 0), (28, 0, 1)):
        audits(right, created_at=AUTUMN + timedelta(days=days))
        audits(wrong, created_at=AUTUMN + timedelta(days=days), label_as=1)
    found = {row["day"]: row for row in rows("accuracy-by-day")}
    assert len(found) == 29

    def counts(day: str) -> list[Any]:
        return [found[day][key] for key in ("right", "n", "new", "new_share")]

    assert counts("2026-09-15") == [3, 4, 4, 0.75]
    assert counts("2026-09-16") == [3, 4, 0, None]
    assert counts("2026-10-12") == [5, 6, 0, None]  # the 28th day still has the first
    assert counts("2026-10-13") == [2, 3, 1, 0.0]  # the first is out
    assert found["2026-10-13"]["low"] < 2 / 3 < found["2026-10-13"]["high"]


def test_each_day_says_what_its_28_days_say_by_themselves(live_version: ModelVersion) -> None:
    for days in (0, 1, 9):  # before anything is labeled
        make_prediction(
            is_audit=True, audit_probability=0.1, created_at=AUTUMN + timedelta(days=days)
        )
    for days in (12, 13, 30, 31, 45, 80):
        chance = 0.1 if days % 2 else 0.5
        audits(2, audit_probability=chance, created_at=AUTUMN + timedelta(days=days))
    audits(1, label_as=1, audit_probability=0.1, created_at=AUTUMN + timedelta(days=40))
    shown = rows("accuracy-by-day")
    assert len(shown) == 69
    samples = accuracy.daily(Filters())
    for row in shown:
        day = date.fromisoformat(row["day"])
        window = together(
            sample for at, sample in samples.items() if day - timedelta(days=28) < at <= day
        )
        keys = ("n", "right", "share", "low", "high", "enough")
        assert [row[key] for key in keys] == accuracy_cells(window), day


def test_a_long_history_has_a_row_for_each_week_and_loses_no_label(
    live_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    for days in range(0, 40, 3):
        audits(1, created_at=AUTUMN + timedelta(days=days))
    daily = rows("accuracy-by-day")
    monkeypatch.setattr(accuracy, "LONGEST_DAILY", 30)
    weekly = rows("accuracy-by-day")
    assert [row["day"] for row in weekly[:-1]] == [row["day"] for row in daily[6::7]]
    assert sum(row["new"] for row in weekly) == sum(row["new"] for row in daily) == 14
    assert weekly[1]["since"] == daily[7]["day"]
    assert weekly[-1]["n"] == daily[-1]["n"]


def test_a_long_history_of_the_queue_has_a_row_for_each_month_and_loses_no_drawing(
    live_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    for days in range(0, 40, 3):
        audits(1, created_at=AUTUMN + timedelta(days=days))
    daily = rows("label-flow")
    said = make_figure("label-flow", Filters()).sentence
    monkeypatch.setattr(labels, "LONGEST_DAILY", 30)
    monthly = rows("label-flow")
    assert [row["month"] for row in monthly] == sorted({row["day"][:7] for row in daily})
    assert sum(row["came"] for row in monthly) == 14
    for column in ("came", "settled", "opinions"):
        assert sum(row[column] for row in monthly) == sum(row[column] for row in daily)
    assert monthly[-1]["waiting"] == daily[-1]["waiting"]
    assert make_figure("label-flow", Filters()).sentence == said


def test_reliability_holds_confidence_against_what_was_right(live_version: ModelVersion) -> None:
    audits(30, confidence=0.65)
    audits(10, confidence=0.65, label_as=1)
    (row,) = [row for row in rows("reliability") if row["n"]]
    assert (row["from"], row["to"], row["mean"], row["share"]) == (0.6, 0.7, 0.65, 0.75)
    said = make_figure("reliability", Filters()).sentence
    assert said.startswith("Mean confidence is 65.0%, and of 100 drawings 75 (")
    assert "chance alone could make them differ so" in said
    assert "10 of 100 apart" in said


def test_corrections_add_up_and_are_taken_back_by_an_undo(live_version: ModelVersion) -> None:
    from labeling.decisions.decisions import reverse

    made = [make_prediction(digit=7) for _ in range(3)]
    for each in made[:2]:
        label(each, 1)
    assert rows("corrections")[-1]["total"] == 2
    flow = rows("label-flow")[-1]
    assert (flow["came"], flow["settled"], flow["waiting"]) == (3, 2, 1)
    reverse(LabelEvent.objects.all()[0], by=make_or_get())
    assert rows("corrections")[-1]["total"] == 1


def test_what_is_taken_back_in_another_stream_is_found_to_be_misread_in_none(
    live_version: ModelVersion, client: Client
) -> None:
    """Each stream by itself would hold what it did not undo, or have undone what it did not do."""
    for _ in range(4):
        make_item(digit=7, confidence=0.99)
    ada, eve, kai = (Door(make_user(name, role="labeler")) for name in ("ada", "eve", "kai"))
    items = ada.items(4)
    for item in items:
        ada.label(item, 1)  # each contradicts a sure guess, so it waits for a second opinion
    for other in (eve, kai):
        other.label(other.item(), 7)
    ada.undo()
    Door(make_user("ben", role="reviewer")).settle(items[2]["id"], 7)
    catch_up()
    streams = set(LabelEvent.objects.values_list("stream", flat=True))
    assert streams == {"", "unsure", "second", "review"}
    for stream in ("", "all", *Stream.values):
        said = client.get(f"/dashboard/data/corrections.json?stream={stream}").json()
        assert [total for *_, total in said["rows"][-1:]] == [1], stream
        assert ", 1 drawing was found to be misread." in said["sentence"], stream
        page = client.get(f"/dashboard/?stream={stream}", follow=True)
        (tile,) = [each for each in page.context["tiles"] if each.title == "Found to be misread"]
        assert tile.number == "1", stream


def test_agreement_counts_opinions_on_what_others_spoke_about(live_version: ModelVersion) -> None:
    made = make_prediction()
    for name, digit in (("ada", 7), ("eve", 7), ("kai", 1)):
        label_by_feedback(made, Answer(digit), owner=Owner(user_id=make_user(name).pk))
    (row,) = rows("agreement-by-month")
    assert (row["n"], row["right"]) == (2, 1)
    assert row["month"] == row["last"]


def test_agreement_is_by_year_where_years_of_months_have_few_opinions(
    live_version: ModelVersion,
) -> None:
    people = [make_user(name) for name in ("ada", "eve")]
    for month in range(0, 96, 6):
        at = AUTUMN.replace(year=2018 + month // 12, month=1 + month % 12, day=3)
        made = make_prediction(created_at=at)
        for person in people:
            label_by_feedback(made, Answer(7), owner=Owner(user_id=person.pk))
        LabelEvent.objects.filter(prediction=made).update(created_at=at)
    found = rows("agreement-by-month")
    assert [row["n"] for row in found] == [2] * 8
    assert (found[1]["month"], found[1]["last"]) == ("2019-01", "2019-12")


def test_filters_choose_what_is_counted(live_version: ModelVersion) -> None:
    audits(1, source="draw")
    audits(2, source="api", created_at=AUTUMN + timedelta(days=30), version=make_live("next"))
    assert [row["n"] for row in rows("accuracy-by-month")] == [1, 2]
    assert [row["n"] for row in rows("accuracy-by-month", source="draw")] == [1]
    assert [row["n"] for row in rows("accuracy-by-month", version="next")] == [2]
    assert [row["n"] for row in rows("accuracy-by-month", first=AUTUMN.date().replace(day=1),
                                     last=AUTUMN.date().replace(day=1))] == [1]  # fmt: skip
    assert [row["n"] for row in rows("accuracy-by-month", digit=3)] == [0, 0]


def test_promotions_are_marks(live_version: ModelVersion) -> None:
    after = make_live("better")
    Promotion.objects.create(
        kind="promotion", before=live_version, after=after, why="", made_at=AUTUMN
    )
    (mark,) = make_figure("accuracy-by-month", Filters()).marks
    assert (mark["month"], mark["title"]) == ("2026-09", "better went live")


@pytest.mark.parametrize("query", ["", "digit=3&source=draw", "stream=all&first=2026-09"])
def test_every_figure_is_served_empty_or_not_in_few_queries(
    live_version: ModelVersion,
    client: Client,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    query: str,
) -> None:
    addresses = {name: f"/dashboard/data/{name}.json?{query}" for name in FIGURES}
    for name, address in addresses.items():
        assert client.get(address).json()["name"] == name
    audits(2)
    catch_up()
    for address in addresses.values():
        with django_assert_max_num_queries(6):
            figure = client.get(address).json()
        assert figure["sentence"]
        assert figure["sampled_from"]
        assert all(len(row) == len(figure["columns"]) for row in figure["rows"])
        assert client.get(address.replace(".json", ".csv")).status_code == 200


def test_a_cell_of_a_csv_is_no_formula() -> None:
    names = [f"{start}1+1" for start in FORMULA_STARTS]
    rows = [[name] for name in names]
    figure = Figure("x", "X", "", "", [Column("version", "Version", "version")], rows)
    assert not any(line.startswith(FORMULA_STARTS) for line in figure.as_csv().splitlines())
