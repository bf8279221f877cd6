"""The page of one prediction, on which people say what it is."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import Label, LabelEvent
from predictions.models import Feedback, Prediction
from tests.factories import make_ada, make_prediction

pytestmark = pytest.mark.django_db


def visit(client: Client, path: str) -> str:
    return client.get(path).content.decode()


def test_whoever_holds_the_link_sees_the_prediction(client: Client) -> None:
    shown = make_prediction(digit=4, confidence=0.875)
    page = visit(client, shown.get_absolute_url())
    assert "Read as 4" in page
    assert "87.5%" in page
    assert shown.version.name in page
    assert shown.drawing_url in page


def test_an_unknown_id_is_not_found_in_the_look_of_the_product(client: Client) -> None:
    response = client.get(reverse("labeling:prediction", args=[uuid.uuid4()]))
    assert response.status_code == 404
    assert "Inkloop" in response.content.decode()


@pytest.mark.parametrize(("said", "digit"), [("right", 7), ("3", 3), ("7", 7), ("none", None)])
def test_the_feedback_form_keeps_what_was_said(
    client: Client, said: str, digit: int | None
) -> None:
    shown = make_prediction(digit=7)
    response = client.post(shown.get_absolute_url(), {"said": said})
    assert response.status_code == 302
    assert Feedback.objects.get().digit == digit


def test_changing_ones_mind_replaces_what_was_said(client: Client) -> None:
    shown = make_prediction(digit=7)
    for said in ("right", "none", "2"):
        client.post(shown.get_absolute_url(), {"said": said})
    assert Feedback.objects.get().digit == 2
    assert "It is a 2" in visit(client, shown.get_absolute_url())


def test_the_question_about_an_eight_is_good_english(client: Client) -> None:
    page = visit(client, make_prediction(digit=8).get_absolute_url())
    assert "Is it an 8?" in page
    assert "it is a 3" in page


@pytest.mark.parametrize("said", ["", "10", "wrong", "-1"])
def test_feedback_that_is_no_answer_is_refused(client: Client, said: str) -> None:
    shown = make_prediction(digit=7)
    response = client.post(shown.get_absolute_url(), {"said": said})
    assert response.status_code == 422
    assert "Say right" in response.content.decode()
    assert not Feedback.objects.exists()


def test_a_strange_drawing_is_said_to_be_probably_no_digit(client: Client) -> None:
    notice = "Probably not a digit"
    strange = make_prediction()
    Prediction.objects.filter(pk=strange.pk).update(strangeness=0.5)
    assert f"data-strange>{notice}" in visit(client, strange.get_absolute_url())
    assert f"data-strange hidden>{notice}" in visit(client, make_prediction().get_absolute_url())


def test_the_form_of_a_prediction_makes_a_label_of_a_trusted_word(
    client: Client, settings: Any
) -> None:
    settings.TRUST_FEEDBACK = False
    client.force_login(make_ada())
    prediction = make_prediction(digit=7)
    page = client.post(f"/predictions/{prediction.public_id}/", {"said": "4"}, follow=True)
    assert "Saved as a label, unless it is an audit." in page.content.decode()
    assert Label.objects.get().digit == prediction.feedback.digit == 4
    assert "<b data-toward-count>1</b>" in page.content.decode()
    assert "toward the next fine-tune of 500" in page.content.decode()


def test_a_strangers_word_stays_feedback_where_strangers_are_not_trusted(settings: Any) -> None:
    settings.TRUST_FEEDBACK = False
    prediction = make_prediction(digit=7)
    page = Client().post(f"/predictions/{prediction.public_id}/", {"said": "4"}, follow=True)
    assert "data-toward" not in page.content.decode()
    prediction.refresh_from_db()
    assert prediction.feedback.digit == 4
    assert not LabelEvent.objects.exists()
