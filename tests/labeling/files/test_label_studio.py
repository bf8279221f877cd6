"""What Label Studio tells becomes a label only where somebody vouches for it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from labeling.batches.batches import undo_batch
from labeling.files.export import with_glyphs
from labeling.files.formats import label_studio
from labeling.models import Batch, Label, LabelEvent
from predictions import metrics
from predictions.access.tokens import forget_noted, make_token
from predictions.models import Prediction
from tests.factories import data_url, make_ada, make_ben, make_prediction, make_user
from tests.predictions.api.test_api import post_json
from tests.predictions.api.test_label_config import config

pytestmark = pytest.mark.django_db
WEBHOOK = "/api/v1/label-studio/webhook"
UNREADABLE = config([*map(str, range(10)), "unreadable"])


@pytest.fixture(autouse=True)
def _nothing_noted() -> None:
    forget_noted()


@pytest.fixture
def ben() -> User:
    return make_ben()


@pytest.fixture
def bens(ben: User) -> Client:
    return with_token(ben, "label")


@pytest.fixture
def drawn(live_version: Any) -> Prediction:
    return make_prediction(digit=7)


def with_token(user: User, *scopes: str) -> Client:
    secret = make_token(user, name="label studio", scopes=scopes)[1]
    return Client(headers={"authorization": f"Bearer {secret}"})


def event(
    about: Prediction | str, *chosen: str, action: str = "ANNOTATION_CREATED", **fields: Any
) -> dict[str, Any]:
    image = about if isinstance(about, str) else f"http://localhost:8000{about.glyph_url}"
    region = {"from_name": "digit", "to_name": "img", "type": "choices"}
    return {
        "action": action,
        "project": {"id": 1, "label_config": UNREADABLE},
        "task": {"id": 5, "data": {"image": image}},
        "annotation": {
            "id": 9,
            "was_cancelled": False,
            "result": [{**region, "value": {"choices": list(chosen)}}],
            **fields,
        },
    }


def test_an_annotation_becomes_a_label_that_can_be_taken_back(
    bens: Client, ben: User, drawn: Prediction
):
    answer = post_json(bens, WEBHOOK, event(drawn, "3"))
    assert (answer.status_code, answer.json()) == (200, {"status": "labeled", "reason": ""})
    label = Label.objects.get()
    assert (label.prediction, label.digit, label.state) == (drawn, 3, Label.State.SETTLED)
    assert label.event.labeler == ben
    batch = Batch.objects.get()
    assert batch.chosen_by == {"Label Studio task": 5, "annotation": 9}
    undo_batch(batch, by=ben)
    assert not Label.objects.exists()


def test_an_update_replaces_what_was_said(bens: Client, drawn: Prediction):
    post_json(bens, WEBHOOK, event(drawn, "3"))
    post_json(bens, WEBHOOK, event(drawn, "unreadable", action="ANNOTATION_UPDATED"))
    assert Label.objects.get().is_unreadable
    assert LabelEvent.objects.count() == 2


def test_the_same_event_sent_again_adds_nothing(bens: Client, drawn: Prediction):
    post_json(bens, WEBHOOK, event(drawn, "3"))
    answer = post_json(bens, WEBHOOK, event(drawn, "3"))
    assert answer.json()["status"] == "already_so"
    assert LabelEvent.objects.count() == 1


def test_a_task_of_our_own_export_names_its_prediction(bens: Client, drawn: Prediction):
    post_json(bens, WEBHOOK, event(drawn, "5"))
    (task,) = json.loads(b"".join(label_studio.write(with_glyphs())))
    sent = event(task["data"]["image"], "3")
    sent["task"]["data"] = task["data"]
    assert post_json(bens, WEBHOOK, sent).json()["status"] == "labeled"
    assert Label.objects.get().digit == 3


@pytest.mark.parametrize("slash", ["", "/"])
def test_both_spellings_are_the_same_door(bens: Client, drawn: Prediction, slash: str):
    assert post_json(bens, WEBHOOK + slash, event(drawn, "3")).json()["status"] == "labeled"


def test_a_session_that_may_correct_in_bulk_is_as_good(ben: User, drawn: Prediction):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ben)
    assert post_json(client, WEBHOOK, event(drawn, "3")).status_code == 403  # no page's token
    assert not Label.objects.exists()


class TestPassedOver:
    @pytest.mark.parametrize("scope", ["predict", "train", "read"])
    def test_a_token_of_another_scope_makes_no_label(
        self, ben: User, drawn: Prediction, scope: str
    ):
        answer = post_json(with_token(ben, scope), WEBHOOK, event(drawn, "3"))
        assert answer.status_code == 200
        assert answer.json()["status"] == "passed_over"
        assert "scope label" in answer.json()["reason"]
        assert not LabelEvent.objects.exists()

    @pytest.mark.parametrize("role", [None, "labeler", "reviewer", "trainer", "analyst"])
    def test_whoever_may_not_correct_in_bulk_makes_no_label(
        self, drawn: Prediction, role: str | None
    ):
        client = with_token(make_user("dee", role=role), "label")
        assert post_json(client, WEBHOOK, event(drawn, "3")).json()["status"] == "passed_over"
        assert not LabelEvent.objects.exists()

    def test_nobody_in_particular_is_acknowledged_where_the_settings_say_so(
        self, client: Client, drawn: Prediction, settings: Any
    ):
        assert post_json(client, WEBHOOK, event(drawn, "3")).status_code == 401
        settings.LABEL_STUDIO_ANONYMOUS = True
        before = counted("ANNOTATION_CREATED", "passed_over")
        answer = post_json(client, WEBHOOK, event(drawn, "3"))
        assert answer.json()["status"] == "passed_over"
        assert counted("ANNOTATION_CREATED", "passed_over") == before + 1
        assert not LabelEvent.objects.exists()

    def test_a_bad_token_is_refused(self, drawn: Prediction):
        client = Client(headers={"authorization": "Bearer ink_00000000_x"})
        assert post_json(client, WEBHOOK, event(drawn, "3")).status_code == 401

    def test_an_audit_stays_blind(self, bens: Client, live_version: Any):
        audit = make_prediction(is_audit=True)
        answer = post_json(bens, WEBHOOK, event(audit, "3"))
        assert "audited" in answer.json()["reason"]
        assert not LabelEvent.objects.exists()

    @pytest.mark.parametrize(
        ("sent", "said"),
        [
            (event("/data/upload/1/a.png", "3"), "not a prediction"),
            (event(data_url(), "3"), "not a prediction"),
            (event("/glyphs/00000000-0000-4000-8000-000000000000.png", "3"), "not a prediction"),
            ({"action": "ANNOTATION_CREATED"}, "not XML"),
            ({**event("x", "3"), "project": {"label_config": "<View/>"}}, "no <Image"),
            ({"action": "ANNOTATIONS_CREATED", "annotation": [], "task": [{}]}, "by a person"),
            ({"action": "ANNOTATION_CREATED", "annotation": 7, "task": None}, "not XML"),
            ({"action": "ANNOTATIONS_DELETED"}, "by a person"),
            ({"action": "TASKS_CREATED"}, "by a person"),
        ],
    )
    def test_what_concerns_nothing_of_ours_is_acknowledged(
        self, bens: Client, drawn: Prediction, sent: Any, said: str
    ):
        answer = post_json(bens, WEBHOOK, sent)
        assert answer.status_code == 200
        assert answer.json()["status"] == "passed_over"
        assert said in answer.json()["reason"]

    @pytest.mark.parametrize(
        ("chosen", "fields", "said"),
        [
            (["3", "5"], {}, "2 answers"),
            ([], {}, "0 answers"),
            (["a three"], {}, "neither a digit"),
            (["3"], {"was_cancelled": True}, "skipped"),
            (["3"], {"result": "3"}, "0 answers"),
            (["3"], {"result": [{"from_name": "digit", "value": 3}]}, "0 answers"),
        ],
    )
    def test_an_annotation_that_says_no_one_digit_makes_no_label(
        self, bens: Client, drawn: Prediction, chosen: Any, fields: Any, said: str
    ):
        answer = post_json(bens, WEBHOOK, event(drawn, *chosen, **fields))
        assert said in answer.json()["reason"]
        assert not LabelEvent.objects.exists()

    @pytest.mark.parametrize("body", [{}, {"action": 7}, {"action": ""}])
    def test_what_is_no_event_is_refused(self, bens: Client, body: Any):
        assert post_json(bens, WEBHOOK, body).status_code == 400


def test_events_count_against_the_limit(bens: Client, settings: Any):
    settings.CAPTURES_PER_MINUTE = 1
    sent = {"action": "ANNOTATION_CREATED"}
    assert post_json(bens, WEBHOOK, sent).status_code == 200
    assert post_json(bens, WEBHOOK, sent).status_code == 429


def test_a_labeler_who_is_no_admin_labels_in_the_queue_instead(drawn: Prediction):
    client = with_token(make_ada(), "label")
    assert post_json(client, WEBHOOK, event(drawn, "3")).json()["status"] == "passed_over"


def counted(sent: str, outcome: str) -> float:
    return metrics.label_studio.labels(sent, outcome)._value.get()
