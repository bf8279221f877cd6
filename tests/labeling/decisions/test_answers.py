"""The page of one's own answers: what it tells, what it keeps to itself, and taking one back."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from labeling.batches import grid
from labeling.batches.rebuild import rebuild_labels
from labeling.decisions.answers import page_of_answers
from labeling.decisions.decisions import Answer, settle
from labeling.models import Label, LabelEvent, QueueItem
from tests.factories import make_ada, make_ben, make_cy, make_user
from tests.labeling.door import Door, make_gold, make_item, place

pytestmark = pytest.mark.django_db
ANSWERS = "/label/answers/"
ROW = re.compile(r'<tr data-answer="(\d+)">(.*?)</tr>', re.S)


@pytest.fixture
def ada(live_version: Any) -> User:
    return make_ada()


@pytest.fixture
def door(ada: User) -> Door:
    return Door(ada)


def rows(client: Client, query: str = "") -> dict[int, str]:
    """Each row's text by its event, in the order of the page."""
    page = client.get(ANSWERS + query)
    assert page.status_code == 200
    found = ROW.findall(page.content.decode())
    return {int(key): " ".join(re.sub(r"<[^>]+>", " ", text).split()) for key, text in found}


def take_back(client: Client, event: LabelEvent | int) -> str:
    key = event if isinstance(event, int) else event.pk
    return client.post(ANSWERS, {"event": key}, follow=True).content.decode()


def test_ones_own_answers_are_told_newest_first_and_nobody_elses(door: Door) -> None:
    for _ in range(2):
        make_item(digit=9, confidence=0.6)
    other = Door(make_user("bea", role="labeler"))
    door.label(door.item(), 4)
    other.label(other.item(), 5)
    make_item(digit=9)
    door.label(door.item(), None)

    first, theirs, last = LabelEvent.objects.order_by("pk")
    told = rows(door.client)
    assert list(told) == [last.pk, first.pk]
    assert told[first.pk].startswith("4 model: 9")
    assert told[last.pk].startswith("unreadable")
    assert list(rows(other.client)) == [theirs.pk]


def test_the_oldest_answers_lead_to_no_older_page(door: Door, ada: User) -> None:
    for _ in range(2):
        make_item()
        door.label(door.item(), 1)
    oldest, newest = LabelEvent.objects.order_by("pk").values_list("pk", flat=True)
    assert page_of_answers(ada, limit=1).next_before == newest
    assert page_of_answers(ada, limit=2).next_before is None
    assert [each.event.pk for each in page_of_answers(ada, before=newest).rows] == [oldest]


def test_an_answer_from_before_is_taken_back_and_only_that_one(door: Door) -> None:
    items = [make_item(confidence=0.6) for _ in range(3)]
    places = {item.pk: place(item) for item in items}
    for digit in (1, 2, 3):
        door.label(door.item(), digit)
    oldest = LabelEvent.objects.earliest("pk")
    assert "your 1 no longer counts" in take_back(door.client, oldest)

    assert sorted(Label.objects.values_list("digit", flat=True)) == [2, 3]
    assert place(oldest.prediction) == places[oldest.prediction_id]
    assert "Undone" in rows(door.client)[oldest.pk]
    assert "model" not in rows(door.client)[oldest.pk]
    assert "taken back before" in take_back(door.client, oldest)
    assert LabelEvent.objects.filter(kind="undo").count() == 1
    assert not rebuild_labels(mend=False)


def test_a_ruling_outlives_the_opinion_it_ruled_on(door: Door) -> None:
    item = make_item(confidence=0.6)
    door.label(door.item(), 1)
    settle(item.public_id, Answer(8), reviewer=make_ben(), request_id=uuid.uuid4())
    take_back(door.client, LabelEvent.objects.earliest("pk"))
    label = Label.objects.get()
    assert (label.digit, label.state, label.opinions) == (8, "settled", 0)
    assert not rebuild_labels(mend=False)


def test_a_second_opinion_taken_back_leaves_the_first_waiting(door: Door, settings: Any) -> None:
    settings.SECOND_OPINION_RATE = 1.0
    item = make_item(confidence=0.6)
    first = Door(make_user("bea", role="labeler"))
    first.label(first.item(), 1)
    waiting = list(Label.objects.values())
    door.label(door.item(), 1)
    assert Label.objects.get().state == "settled"
    take_back(door.client, LabelEvent.objects.latest("pk"))
    assert list(Label.objects.values()) == waiting
    assert place(item) == (True, "second")


def test_one_of_a_grid_is_taken_back_and_the_rest_with_its_batch(door: Door, ada: User) -> None:
    for _ in range(3):
        make_item(digit=3)
    shown = grid.claim_grid(ada, digit=3)
    ids = [each.public_id for each in shown]
    done = grid.confirm_grid(
        ada, digit=3, token=shown[0].token, request_id=uuid.uuid4(), shown=ids
    )  # fmt: skip
    take_back(door.client, LabelEvent.objects.earliest("pk"))
    assert Label.objects.count() == 2
    assert grid.undo_grid(ada, done.batch.pk) == 2
    assert not Label.objects.exists()
    assert not rebuild_labels(mend=False)


def test_what_was_corrected_in_bulk_goes_back_in_bulk_alone(ada: User) -> None:
    from labeling.batches.bulk import correct_each

    ben = make_ben()
    client = Client()
    client.force_login(ben)
    correct_each({make_item().pk: Answer(1)}, by=ben, kind="correction", chosen_by={})
    event = LabelEvent.objects.get()
    assert "Undone only with its batch" in rows(client)[event.pk]
    assert "no such answer of yours" in take_back(client, event)
    assert Label.objects.exists()


def test_nobody_takes_back_what_another_said_nor_an_undo(door: Door) -> None:
    make_item(confidence=0.6)
    door.label(door.item(), 4)
    event = LabelEvent.objects.get()
    other = Door(make_user("bea", role="labeler"))
    assert "no such answer of yours" in take_back(other.client, event)
    take_back(door.client, event)
    undo = LabelEvent.objects.get(kind="undo")
    assert "no such answer of yours" in take_back(door.client, undo)
    assert LabelEvent.objects.count() == 2


def test_an_audits_guess_is_not_told_and_gold_looks_like_any_answer(
    door: Door, settings: Any
) -> None:
    make_item(digit=9, is_audit=True)
    door.label(door.item(), 4)
    audit = LabelEvent.objects.get()
    assert "model" not in rows(door.client)[audit.pk]
    settings.GOLD_RATE = 1.0
    gold, plain = make_item(digit=9, confidence=0.6), make_item(digit=9, confidence=0.6)
    make_gold(gold, 4)
    for item in door.items(2):
        door.label(item, 4)
    told = {
        event.prediction_id: re.sub(r"\d+:\d+", "", rows(door.client)[event.pk])
        for event in LabelEvent.objects.exclude(pk=audit.pk)
    }
    assert LabelEvent.objects.filter(is_gold=True).count() == 1
    assert told[gold.pk] == told[plain.pk]


def test_pages_follow_each_other_without_a_gap_and_cost_the_same(
    door: Door, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("predictions.serving.recognizer.LOOK_EVERY", 3600)  # each look is a query
    item = make_item()

    def say(count: int) -> None:
        LabelEvent.objects.bulk_create(
            LabelEvent(prediction=item, kind="label", digit=each % 10, labeler=ada)
            for each in range(count)
        )

    say(1)
    door.client.get(ANSWERS)
    with CaptureQueriesContext(connection) as one:
        door.client.get(ANSWERS)
    say(119)
    with CaptureQueriesContext(connection) as many:
        page = door.client.get(ANSWERS)
    assert len(many) == len(one)
    seen, query = [], ""
    while True:
        seen += list(rows(door.client, query))
        page = door.client.get(ANSWERS + query).context["page"]
        if page.next_before is None:
            break
        query = f"?before={page.next_before}"
    assert seen == list(LabelEvent.objects.order_by("-pk").values_list("pk", flat=True))


@pytest.mark.parametrize("query", ["?before=x", "?before=0", f"?before={2**64}", "?after=3"])
def test_a_page_that_cannot_be_is_refused(door: Door, query: str) -> None:
    assert door.client.get(ANSWERS + query).status_code == 400


@pytest.mark.parametrize("event", ["", "x", "-1", str(2**64)])
def test_a_press_that_names_no_answer_changes_nothing(door: Door, event: str) -> None:
    make_item(confidence=0.6)
    door.label(door.item(), 4)
    page = door.client.post(ANSWERS, {"event": event}, follow=True)
    assert "nothing was taken back" in page.content.decode()
    assert LabelEvent.objects.count() == 1


def test_a_visitor_is_sent_to_the_login_and_cy_is_refused(live_version: Any) -> None:
    cy = Client()
    cy.force_login(make_cy())
    assert Client().get(ANSWERS)["Location"].startswith("/accounts/login/?next=")
    assert cy.get(ANSWERS).status_code == cy.post(ANSWERS, {"event": 1}).status_code == 403


def test_the_label_page_leads_there_and_nothing_is_held_by_looking(door: Door) -> None:
    make_item()
    assert f'href="{ANSWERS}"' in door.client.get("/label/").content.decode()
    assert "Nothing here yet" in door.client.get(ANSWERS).content.decode()
    assert not QueueItem.objects.filter(token__isnull=False).exists()
