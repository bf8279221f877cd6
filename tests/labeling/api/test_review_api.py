"""Disputes side by side, and who may see and settle them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User

from labeling.decisions.decisions import Answer
from labeling.models import Batch, Label
from predictions.models import Prediction
from tests.factories import make_ada, make_ben, make_cy, make_user
from tests.labeling.door import Door, correct, make_item, place

pytestmark = pytest.mark.django_db
DISPUTES = "/api/v1/labels/disputes/"


@pytest.fixture
def labelers() -> list[Door]:
    return [Door(make_ada()), *(Door(make_user(name, role="labeler")) for name in ("eve", "ian"))]


@pytest.fixture
def rita() -> Door:
    return Door(make_user("rita", role="reviewer"))


def dispute(labelers: list[Door], **fields: Any) -> Prediction:
    """Three labelers, three answers."""
    item = make_item(**{"digit": 7, "confidence": 0.99, **fields})
    for digit, door in zip((1, 2, 3), labelers, strict=True):
        shown = door.item()
        assert shown["id"] == str(item.public_id)
        door.label(shown, digit)
    assert Label.objects.get(pk=item.pk).state == Label.State.DISPUTED
    return item


def disputes(door: Door, query: str = "") -> Any:
    answer = door.client.get(DISPUTES + query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_an_audit_is_ruled_on_without_the_guess(rita: Door, labelers: list[Door]):
    dispute(labelers, is_audit=True)
    (shown,) = disputes(rita)["results"]
    assert (shown["guess"], shown["confidence"]) == (None, None)
    assert [said["digit"] for said in shown["said"]] == [1, 2, 3]


def test_a_dispute_shows_who_said_what(rita: Door, labelers: list[Door]):
    item = dispute(labelers)
    (shown,) = disputes(rita)["results"]
    assert shown["id"] == str(item.public_id)
    assert shown["glyph_url"] == item.glyph_url
    assert shown["drawing_url"] == item.drawing_url
    assert (shown["guess"], shown["model"]) == (7, item.version.name)
    assert [(said["by"], said["digit"]) for said in shown["said"]] == [
        ("ada", 1), ("eve", 2), ("ian", 3),
    ]  # fmt: skip
    assert all(said["at"] for said in shown["said"])


def test_a_ruling_settles_it(rita: Door, labelers: list[Door]):
    item = dispute(labelers)
    assert rita.settle(item.public_id, 2).status_code == 200
    assert disputes(rita)["results"] == []
    label = Label.objects.get(pk=item.pk)
    assert (label.digit, label.state) == (2, Label.State.SETTLED)
    assert place(item)[0] is False


def test_what_was_taken_back_is_not_shown(rita: Door, labelers: list[Door]):
    dispute(labelers)
    labelers[2].undo()
    assert disputes(rita)["results"] == []  # two opinions: it waits for a third again
    again = labelers[2].item()
    labelers[2].label(again, 4)
    (shown,) = disputes(rita)["results"]
    assert [said["digit"] for said in shown["said"]] == [1, 2, 4]


def test_pages_follow_each_other_without_gap_or_repeat(rita: Door, labelers: list[Door]):
    made = [str(dispute(labelers).public_id) for _ in range(5)]
    seen, query = [], "?limit=2"
    while query:
        page = disputes(rita, query)
        seen += [row["id"] for row in page["results"]]
        query = "?" + page["next"].partition("?")[2] if page["next"] else ""
    assert seen == made[::-1]


def test_a_page_asks_as_many_queries_for_6_as_for_1(
    rita: Door, labelers: list[Door], django_assert_num_queries: Any
):
    dispute(labelers)
    with django_assert_num_queries(4):  # session, account, items, what was said
        disputes(rita)
    for _ in range(5):
        dispute(labelers)
    with django_assert_num_queries(4):
        assert len(disputes(rita)["results"]) == 6


@pytest.mark.parametrize("query", ["?limit=0", "?before=x", "?state=settled"])
def test_parameters_that_are_not_offered_are_refused(rita: Door, query: str):
    assert rita.client.get(DISPUTES + query).status_code == 400


def test_labelers_cy_and_visitors_see_no_disputes(labelers: list[Door]):
    dispute(labelers)
    for door in (labelers[0], Door(make_cy())):
        assert door.client.get(DISPUTES).status_code == 403
    assert Door().client.get(DISPUTES).status_code == 401
    assert len(disputes(Door(make_ben()))["results"]) == 1


BATCHES = "/api/v1/labels/batches/"


def make_batch(digit: int) -> str:
    ben = User.objects.filter(username="ben").first() or make_ben()
    make_item()
    made = correct(Prediction.objects.all(), Answer(digit), by=ben)
    return str(made.pk)


def test_batches_are_listed_newest_first_page_by_page(
    rita: Door, django_assert_max_num_queries: Any
):
    made = [make_batch(digit) for digit in range(5)]
    rita.client.get(BATCHES)
    with django_assert_max_num_queries(4):
        page = rita.client.get(BATCHES + "?limit=2").json()
    seen = [each["id"] for each in page["results"]]
    assert page["results"][0]["labels"] == 5
    assert page["results"][0]["made_by"] == "ben"
    assert page["results"][0]["undone_at"] is None
    while page["next"]:
        page = rita.client.get(page["next"]).json()
        seen += [each["id"] for each in page["results"]]
    assert seen == made[::-1]
    assert rita.client.get(f"{BATCHES}?before={uuid.uuid4()}").json()["results"] == []


def test_a_labeler_sees_batches_of_their_own(labelers: list[Door]):
    make_batch(5)
    assert labelers[0].client.get(BATCHES).json()["results"] == []
    own = Batch.objects.create(kind="grid", made_by=User.objects.get(username="ada"), count=3)
    (seen,) = labelers[0].client.get(BATCHES).json()["results"]
    assert (seen["id"], seen["kind"], seen["labels"]) == (str(own.pk), "grid", 3)


def test_batches_are_nobody_elses_business(rita: Door):
    assert Door(make_cy()).client.get(BATCHES).status_code == 403
