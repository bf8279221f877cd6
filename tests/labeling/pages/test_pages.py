"""The pages of labelers and reviewers: who may, what the plain forms do, and at what cost."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labeling.decisions.decisions import Answer, decide
from labeling.models import Label, LabelEvent, QueueItem
from labeling.queue import priorities
from labeling.queue.intake import enqueue_new
from predictions.models import Prediction
from tests.factories import make_ada, make_ben, make_cy, make_prediction, make_user

pytestmark = pytest.mark.django_db
LABEL = "/label/"
GRID = "/label/grid/"
REVIEW = "/review/"
AGREEMENT = "/review/agreement/"


@pytest.fixture
def ada(live_version: Any) -> User:
    return make_ada()


@pytest.fixture
def client(ada: User) -> Client:
    client = Client()
    client.force_login(ada)
    return client


def queue(count: int = 1, **fields: Any) -> list[Prediction]:
    made = [make_prediction(confidence=0.6, **fields) for _ in range(count)]
    enqueue_new()
    return made


def press(client: Client, said: str, held: dict[str, str] | None = None) -> Any:
    """A button of the plain form, with the hidden fields of the page it is on."""
    fields = {**(held or {}), "request_id": str(uuid.uuid4()), "said": said}
    return client.post(LABEL, fields)


def held_of(response: Any) -> dict[str, str]:
    """Where the answer sent us: the item and its hold."""
    query = parse_qs(urlsplit(response["Location"]).query)
    return {name: values[0] for name, values in query.items()}


@pytest.mark.parametrize("path", [LABEL, GRID, REVIEW, AGREEMENT])
def test_a_visitor_is_sent_to_the_login_and_cy_is_refused(live_version: Any, path: str) -> None:
    visitor, cy = Client(), Client()
    cy.force_login(make_cy())
    assert visitor.get(path)["Location"].startswith("/accounts/login/?next=")
    assert cy.get(path).status_code == 403
    assert cy.post(path, {"said": "next"}).status_code == 403


def test_ada_finds_the_page_in_the_header_and_cy_does_not(client: Client) -> None:
    cy = Client()
    cy.force_login(make_cy())
    assert 'href="/label/"' in client.get("/").content.decode()
    assert 'href="/label/"' not in cy.get("/").content.decode()


def test_looking_leases_nothing(client: Client) -> None:
    queue()
    assert client.get(LABEL).status_code == 200
    assert not QueueItem.objects.filter(token__isnull=False).exists()


def test_without_javascript_items_are_answered_one_after_the_other(client: Client) -> None:
    queue(2)
    held = held_of(press(client, "next"))
    page = client.get(LABEL, held)
    assert f"/glyphs/{held['item']}.png" in page.content.decode()

    held = held_of(press(client, "4", held))
    press(client, "unreadable", held)

    said = LabelEvent.objects.order_by("pk").values_list("digit", "is_unreadable")
    assert list(said) == [(4, False), (None, True)]
    assert Label.objects.count() == 2


def test_priority_first_goes_from_item_to_item_and_ends_with_a_way_back(client: Client) -> None:
    first, second = queue(2)
    priorities.want([second.pk])
    done = "Nothing is left for you to decide first"

    def opened(held: dict[str, str]) -> str:
        return client.get(LABEL, held).content.decode()

    held = held_of(press(client, "next", {"priority_first": "1"}))
    assert held["priority_first"] == "1"
    assert "data-priority-done hidden" in opened(held)
    asked = {held["item"]}
    held = held_of(press(client, "4", held))
    assert held["priority_first"] == "1"
    asked.add(held["item"])
    press(client, "4", held)
    assert asked == {str(first.public_id), str(second.public_id)}
    ended = opened({"priority_first": "1"})
    assert done in ended
    assert "data-priority-done>" in ended
    assert "/training/" not in ended  # a labeler may not open it
    tia = make_user("tia", role="trainer")
    tia.groups.add(*User.objects.get(username="ada").groups.all())
    client.force_login(tia)
    assert 'href="/training/">Back to training' in opened({"priority_first": "1"})
    for query in ({}, {"priority_first": "perhaps"}):
        assert done not in opened(query)
        assert "priority_first" not in opened(query)


def test_an_answer_without_a_hold_changes_nothing_and_says_so(client: Client) -> None:
    (item,) = queue()
    stale = {"item": str(item.public_id), "token": str(uuid.uuid4())}
    response = client.post(
        LABEL, {**stale, "request_id": str(uuid.uuid4()), "said": "4"}, follow=True
    )
    assert "no longer yours" in response.content.decode()
    assert not LabelEvent.objects.exists()


def test_sending_the_form_twice_makes_one_label(client: Client) -> None:
    queue()
    fields = {**held_of(press(client, "next")), "said": "4", "request_id": str(uuid.uuid4())}
    client.post(LABEL, fields)
    client.post(LABEL, fields)
    assert LabelEvent.objects.count() == 1


def test_undo_brings_the_item_back_to_the_same_page(client: Client) -> None:
    queue(2)
    held = held_of(press(client, "next"))
    press(client, "4", held)
    again = held_of(press(client, "undo"))
    assert again["item"] == held["item"]
    assert not Label.objects.exists()
    press(client, "7", again)
    assert Label.objects.get().digit == 7


def test_a_skipped_item_does_not_come_back_to_the_same_labeler(client: Client) -> None:
    queue()
    response = press(client, "skip", held_of(press(client, "next")))
    assert "item" not in held_of(response)
    assert "1 left, all for somebody else" in client.get(LABEL).content.decode()


def test_the_guess_is_hidden_until_the_setting_shows_it(client: Client, settings: Any) -> None:
    queue(2, digit=9)
    held = held_of(press(client, "next"))
    assert "The model says <b data-guess></b>" in client.get(LABEL, held).content.decode()
    settings.SHOW_GUESSES = True
    page = client.get(LABEL, held).content.decode()
    assert "The model says <b data-guess>9</b>" in page
    assert 'name="guess_shown" value="on"' in page


@pytest.mark.parametrize("stream", ["second", "review"])
def test_another_look_is_blind_on_the_page_as_in_the_api(
    client: Client, settings: Any, stream: str
) -> None:
    settings.SHOW_GUESSES = True
    queue(2, digit=9)
    held = held_of(press(client, "next"))
    QueueItem.objects.filter(prediction__public_id=held["item"]).update(stream=stream)

    page = client.get(LABEL, held).content.decode()
    assert "The model says <b data-guess></b>" in page
    assert "guess_shown" not in page
    asked = {"count": 2, "holding": []}
    answer = client.post("/api/v1/labels/next/", asked, content_type="application/json")
    guesses = {item["id"]: item["guess"] for item in answer.json()["items"]}
    assert guesses.pop(held["item"]) is None
    assert list(guesses.values()) == [9]


def test_nonsense_is_refused_without_a_trace(client: Client) -> None:
    queue()
    for fields in ({}, {"said": "12"}, {"said": "4"}, {"said": "4", "item": "x", "token": "y"}):
        response = client.post(LABEL, fields, follow=True)
        assert "nothing was saved" in response.content.decode()
    assert not LabelEvent.objects.exists()
    assert client.get(LABEL, {"item": "x", "token": "y"}).status_code == 200


def test_the_page_costs_the_same_for_a_long_queue(
    client: Client, django_assert_max_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("predictions.serving.recognizer.LOOK_EVERY", 3600)  # which version is live
    queue(30)
    client.get(LABEL)
    with django_assert_max_num_queries(11):  # session, account, six for the figures, three beside
        client.get(LABEL)


def test_an_audit_items_guess_is_told_to_nobody(client: Client, settings: Any) -> None:
    settings.SHOW_GUESSES = True
    queue(2, digit=9, is_audit=True)
    held = held_of(press(client, "next"))
    page = client.get(LABEL, held).content.decode()
    assert "The model says <b data-guess></b>" in page
    page = client.get(LABEL, held_of(press(client, "4", held))).content.decode()
    assert "You said 4." in page
    assert "The model said" not in page


# -- the grid ----------------------------------------------------------------------------------


def grid(client: Client, act: str, **fields: Any) -> Any:
    return client.post(GRID, {"act": act, "digit": 3, **fields})


def test_without_javascript_a_grid_is_shown_confirmed_and_taken_back(client: Client) -> None:
    made = queue(4, digit=3)
    queue(1, digit=5)
    hold = held_of(grid(client, "show"))
    page = client.get(GRID, hold).content.decode()
    assert page.count('name="wrong"') == 4
    ids = [str(each.public_id) for each in made]

    fields = {"token": hold["token"], "ids": ids, "wrong": ids[:1]}
    done = grid(client, "confirm", request_id=uuid.uuid4(), **fields)
    batch = held_of(done)["batch"]
    assert "3 confirmed, 1 sent to the queue." in client.get(done["Location"]).content.decode()
    assert list(Label.objects.values_list("digit", flat=True)) == [3, 3, 3]

    undone = grid(client, "undo", batch=batch)
    assert "Taken back: 3 labels." in client.get(undone["Location"]).content.decode()
    assert not Label.objects.exists()


def test_a_grid_whose_hold_ran_out_confirms_nothing(client: Client) -> None:
    (item,) = queue(1, digit=3)
    fields = {"token": uuid.uuid4(), "request_id": uuid.uuid4(), "ids": [str(item.public_id)]}
    response = grid(client, "confirm", **fields)
    assert "no longer yours" in client.get(response["Location"]).content.decode()
    assert not LabelEvent.objects.exists()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"act": "confirm", "digit": 3},
        {"act": "confirm", "digit": 3, "token": "x", "request_id": "y", "ids": ["z"]},
        {"act": "undo", "digit": 3},
        {"act": "show", "digit": 10},
    ],
)
def test_a_grid_form_with_parts_missing_changes_nothing(
    client: Client, fields: dict[str, Any]
) -> None:
    queue(1, digit=3)
    page = client.post(GRID, fields, follow=True).content.decode()
    assert "nothing was changed" in page
    assert not QueueItem.objects.filter(token__isnull=False).exists()


def test_looking_at_the_grid_leases_nothing(client: Client) -> None:
    queue(1, digit=0)
    for query in ({}, {"digit": "3"}, {"digit": "x", "token": "y", "batch": "z"}):
        assert client.get(GRID, query).status_code == 200
    assert not QueueItem.objects.filter(token__isnull=False).exists()


# -- review -------------------------------------------------------------------------------------


def dispute(**fields: Any) -> Prediction:
    """Three labelers, three readings."""
    prediction = make_prediction(digit=9, **fields)
    enqueue_new()
    item = QueueItem.objects.get(pk=prediction.pk)
    names = ("eve", "fay", "gus")
    for name, digit in zip(names, (4, 9, 7), strict=True):
        user = User.objects.filter(username=name).first() or make_user(name, role="labeler")
        token = uuid.uuid4()
        QueueItem.objects.filter(pk=item.pk).update(
            holder=user, token=token, leased_until=timezone.now() + timedelta(minutes=3)
        )
        decide(
            prediction.public_id,
            Answer(digit),
            labeler=user,
            token=token,
            request_id=uuid.uuid4(),
        )
    assert Label.objects.get(pk=prediction.pk).state == Label.State.DISPUTED
    return prediction


@pytest.fixture
def reviewer(live_version: Any, settings: Any) -> Client:
    settings.SECOND_OPINION_RATE = 1.0
    client = Client()
    client.force_login(make_user("ron", role="reviewer"))
    return client


def test_a_reviewer_sees_who_said_what_and_settles(reviewer: Client) -> None:
    prediction = dispute()
    page = reviewer.get(REVIEW).content.decode()
    for said in ("eve", "fay", "gus", 'data-value="4"', 'data-value="7"', "The model said <b>9"):
        assert said in page
    fields = {"item": prediction.public_id, "request_id": uuid.uuid4()}
    page = reviewer.post(REVIEW, {**fields, "said": "4"}, follow=True).content.decode()
    assert "Settled: 4." in page
    assert "data-value" not in page
    label = Label.objects.get()
    assert (label.digit, label.state) == (4, "settled")

    page = reviewer.post(
        REVIEW, {"said": "undo", "request_id": uuid.uuid4()}, follow=True
    ).content.decode()
    assert "Taken back." in page
    assert Label.objects.get().state == "disputed"


def test_a_reviewer_rules_on_an_audit_without_the_guess(reviewer: Client) -> None:
    prediction = dispute(is_audit=True)
    page = reviewer.get(REVIEW).content.decode()
    for said in ("eve", "fay", "gus", 'data-value="4"', str(prediction.public_id)):
        assert said in page
    for told in ("The model said", "read as", "confidence", prediction.get_absolute_url()):
        assert told not in page


def test_a_labeler_may_not_review(client: Client, settings: Any) -> None:
    assert client.get(REVIEW).status_code == 403
    assert client.get(AGREEMENT).status_code == 403
    fields = {"item": uuid.uuid4(), "request_id": uuid.uuid4(), "said": "4"}
    assert client.post(REVIEW, fields).status_code == 403
    assert 'href="/review/"' not in client.get("/").content.decode()


def test_a_ruling_about_nothing_changes_nothing(reviewer: Client) -> None:
    for fields in ({}, {"said": "4", "request_id": uuid.uuid4()}, {"said": "11"}):
        page = reviewer.post(REVIEW, fields, follow=True).content.decode()
        assert "nothing was settled" in page
    assert reviewer.get(REVIEW, {"before": "x"}).status_code == 400


def test_ten_disputes_cost_as_many_queries_as_one(
    reviewer: Client, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("predictions.serving.recognizer.LOOK_EVERY", 3600)  # which version is live
    dispute()
    reviewer.get(REVIEW)
    with CaptureQueriesContext(connection) as one:
        reviewer.get(REVIEW)
    for _ in range(9):
        dispute()
    with django_assert_num_queries(len(one)):
        page = reviewer.get(REVIEW)
    assert page.content.decode().count("data-dispute ") == 10


def test_agreement_is_shown_with_its_interval_and_what_it_rests_on(reviewer: Client) -> None:
    assert "0 of 30 needed" in reviewer.get(AGREEMENT).content.decode()
    dispute()
    page = reviewer.get(AGREEMENT).content.decode()
    assert "Krippendorff" in page
    assert "1 item has two or more opinions" in page
    assert "<td>1 of 30 needed</td>" in page  # no kappa of one item
    assert 'eve</span> and <span class="nowrap">fay' in page


def test_ben_the_admin_may_label_too(live_version: Any) -> None:
    client = Client()
    client.force_login(make_ben())
    assert client.get(LABEL).status_code == 200
