"""The pages of labelers and reviewers: who may, what the plain forms do, and at what cost."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from labeling.intake import take_in
from labeling.models import Label, LabelEvent, QueueItem
from predictions.models import Prediction
from tests.factories import make_ada, make_ben, make_cy, make_feedback, make_prediction

pytestmark = pytest.mark.django_db
LABEL = "/label/"


@pytest.fixture
def ada(live_version: Any) -> User:
    return make_ada()


@pytest.fixture
def client(ada: User) -> Client:
    client = Client()
    client.force_login(ada)
    return client


@pytest.fixture(autouse=True)
def _no_chance(settings: Any) -> None:
    """Neither gold nor a second opinion by lot: each test says what it wants."""
    settings.GOLD_RATE = settings.SECOND_OPINION_RATE = 0.0


def queue(count: int = 1, **fields: Any) -> list[Prediction]:
    made = [make_prediction(confidence=0.6, **fields) for _ in range(count)]
    take_in()
    return made


def press(client: Client, said: str, held: dict[str, str] | None = None) -> Any:
    """A button of the plain form, with the hidden fields of the page it is on."""
    fields = {**(held or {}), "request_id": str(uuid.uuid4()), "said": said}
    return client.post(LABEL, fields)


def held_of(response: Any) -> dict[str, str]:
    """Where the answer sent us: the item and its hold."""
    query = parse_qs(urlsplit(response["Location"]).query)
    return {name: values[0] for name, values in query.items()}


@pytest.mark.parametrize("path", [LABEL])
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
    first, second = queue(2)
    held = held_of(press(client, "next"))
    page = client.get(LABEL, held)
    assert f"/glyphs/{held['item']}.png" in page.content.decode()

    held = held_of(press(client, "4", held))
    press(client, "unreadable", held)

    said = LabelEvent.objects.order_by("pk").values_list("digit", "is_unreadable")
    assert list(said) == [(4, False), (None, True)]
    assert Label.objects.count() == 2


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


def test_nonsense_is_refused_without_a_trace(client: Client) -> None:
    queue()
    for fields in ({}, {"said": "12"}, {"said": "4"}, {"said": "4", "item": "x", "token": "y"}):
        response = client.post(LABEL, fields, follow=True)
        assert "Nothing was changed" in response.content.decode()
    assert not LabelEvent.objects.exists()
    assert client.get(LABEL, {"item": "x", "token": "y"}).status_code == 200


def test_the_page_costs_the_same_for_a_long_queue(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    queue(30)
    client.get(LABEL)
    with django_assert_max_num_queries(6):  # session, account, four for the figures
        client.get(LABEL)


# -- feedback that is a label ----------------------------------------------------------------


def test_the_form_of_a_prediction_makes_a_label_of_a_trusted_word(
    client: Client, settings: Any
) -> None:
    settings.TRUST_FEEDBACK = False
    prediction = make_prediction(digit=7)
    page = client.post(f"/predictions/{prediction.public_id}/", {"said": "4"}, follow=True)
    assert "Saved as a label." in page.content.decode()
    assert Label.objects.get().digit == prediction.feedback.digit == 4
    assert "<b data-toward-count>1</b> labels toward the next fine-tune of 500" in (
        page.content.decode()
    )


def test_a_strangers_word_stays_feedback_where_strangers_are_not_trusted(
    live_version: Any, settings: Any
) -> None:
    settings.TRUST_FEEDBACK = False
    prediction = make_prediction(digit=7)
    page = Client().post(f"/predictions/{prediction.public_id}/", {"said": "4"}, follow=True)
    assert "data-toward" not in page.content.decode()
    prediction.refresh_from_db()
    assert prediction.feedback.digit == 4
    assert not LabelEvent.objects.exists()


def test_in_a_one_person_install_everybodys_word_is_a_label(
    live_version: Any, settings: Any
) -> None:
    settings.TRUST_FEEDBACK = True
    answers = []
    for digit in (4, None):
        prediction = make_prediction()
        url = f"/api/v1/predictions/{prediction.public_id}/feedback/"
        answers.append(Client().post(url, {"digit": digit}, "application/json").json())
    assert [answer["label"] for answer in answers] == [True, True]
    # An unreadable drawing is settled too, and nothing to learn from.
    assert [answer["labels_toward_next_run"] for answer in answers] == [1, 1]


def test_an_audit_drawing_stays_blind_to_feedback(client: Client) -> None:
    prediction = make_prediction(is_audit=True)
    url = f"/api/v1/predictions/{prediction.public_id}/feedback/"
    answer = client.post(url, {"digit": 4}, "application/json").json()
    assert (answer["label"], answer["labels_toward_next_run"]) == (False, 0)
    assert not LabelEvent.objects.exists()


def test_a_stranger_is_told_nothing_about_labels(live_version: Any, settings: Any) -> None:
    settings.TRUST_FEEDBACK = False
    prediction = make_prediction()
    make_feedback(prediction, 3)
    url = f"/api/v1/predictions/{prediction.public_id}/feedback/"
    answer = Client().post(url, {"correct": True}, "application/json").json()
    assert (answer["label"], answer["labels_toward_next_run"]) == (False, None)


def test_ben_the_admin_may_label_too(live_version: Any) -> None:
    client = Client()
    client.force_login(make_ben())
    assert client.get(LABEL).status_code == 200
