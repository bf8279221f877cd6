"""/api/v1/predictions/ID/feedback/: what is said of a drawing, and whose word is a label."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from labeling.models import LabelEvent
from predictions.models import Feedback
from tests.factories import make_ada, make_feedback, make_prediction, make_user
from tests.predictions.api.test_api import PREDICTIONS, post_json

pytestmark = pytest.mark.django_db


def say(client: Client, prediction_id: uuid.UUID, body: Any) -> Any:
    return post_json(client, f"{PREDICTIONS}{prediction_id}/feedback/", body)


@pytest.mark.parametrize(
    ("said", "digit", "correct"),
    [({"correct": True}, 7, True), ({"digit": 3}, 3, False), ({"digit": None}, None, False),
     ({"digit": 7}, 7, True)],
)  # fmt: skip
def test_what_is_said_is_kept(client: Client, said: Any, digit: Any, correct: bool) -> None:
    made = make_prediction(digit=7)
    answer = say(client, made.public_id, said)
    assert answer.status_code == 200
    assert answer.json()["digit"] == digit
    assert answer.json()["correct"] is correct
    assert Feedback.objects.get().digit == digit


def test_changing_ones_mind_replaces_it(client: Client) -> None:
    made = make_prediction(digit=7)
    say(client, made.public_id, {"digit": 3})
    say(client, made.public_id, {"correct": True})
    assert Feedback.objects.get().digit == 7


@pytest.mark.parametrize(
    "said",
    [{}, {"correct": False}, {"digit": 10}, {"digit": -1}, {"digit": "x"}, {"digit": 2.5},
     {"correct": True, "digit": 3}, {"correct": None}],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(client: Client, said: Any) -> None:
    made = make_prediction(digit=7)
    assert say(client, made.public_id, said).status_code == 400
    assert not Feedback.objects.exists()


def test_a_session_without_a_csrf_token_changes_nothing() -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_user("ada"))
    made = make_prediction()
    answer = say(strict, made.public_id, {"correct": True})
    assert answer.status_code == 403
    assert not Feedback.objects.exists()


def test_in_a_one_person_install_everybodys_word_is_a_label(settings: Any) -> None:
    settings.TRUST_FEEDBACK = True
    answers = []
    for digit in (4, None):
        prediction = make_prediction()
        answers.append(say(Client(), prediction.public_id, {"digit": digit}).json())
    assert [answer["label"] for answer in answers] == [True, True]
    # An unreadable drawing is settled too, and nothing to learn from.
    assert [answer["labels_toward_next_run"] for answer in answers] == [1, 1]


def test_feedback_does_not_decide_an_audit_and_the_answer_does_not_name_it(client: Client) -> None:
    ada = make_ada()
    client.force_login(ada)
    answers, pages = [], []
    for is_audit in (True, False):
        prediction = make_prediction(is_audit=is_audit, user=ada)
        answers.append(say(client, prediction.public_id, {"digit": 4}).json())
        assert LabelEvent.objects.exists() is not is_audit
        page = client.post(f"/predictions/{prediction.public_id}/", {"said": "4"}, follow=True)
        pages.append("Saved as a label, unless it is an audit." in page.content.decode())
    assert [answer["label"] for answer in answers] == pages == [True, True]


def test_a_stranger_is_told_nothing_about_labels(settings: Any) -> None:
    settings.TRUST_FEEDBACK = False
    prediction = make_prediction()
    make_feedback(prediction, 3)
    answer = say(Client(), prediction.public_id, {"correct": True}).json()
    assert (answer["label"], answer["labels_toward_next_run"]) == (False, None)
