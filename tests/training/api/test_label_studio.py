"""Label Studio's button "Start training" asks for a run, or is refused with the reason."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from predictions.access.tokens import make_token
from tests.factories import make_live, make_user, some_glyph
from tests.labeling.files.test_label_studio import WEBHOOK
from tests.predictions.api.test_api import post_json
from tests.training.lessons import labeled
from training.models import Run
from training.runs import retrain

pytestmark = pytest.mark.django_db
START = {"action": "START_TRAINING", "project": {"id": 1, "label_config": "<View/>"}}


@pytest.fixture
def dee() -> User:
    make_live("live")
    return make_user("dee", role="trainer")


def with_token(user: User, scope: str) -> Client:
    secret = make_token(user, name="label studio", scopes=[scope])[1]
    return Client(headers={"authorization": f"Bearer {secret}"})


def test_it_queues_a_run(dee: User, monkeypatch: pytest.MonkeyPatch):
    for at in range(3):
        labeled(3, glyph=some_glyph(at))
    monkeypatch.setattr(retrain, "ask", lambda **said: ask(least=1, **said))
    answer = post_json(with_token(dee, "train"), WEBHOOK, START)
    run = Run.objects.get()
    assert (answer.status_code, answer.json()) == (
        201, {"status": "queued", "run": str(run.public_id)},
    )  # fmt: skip
    assert (run.asked_by, run.trigger) == (dee, Run.Trigger.API)


ask = retrain.ask


def test_too_few_labels_are_declined_with_their_number(dee: User):
    answer = post_json(with_token(dee, "train"), WEBHOOK, START)
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "not_enough_labels"


@pytest.mark.parametrize("scope", ["predict", "label", "read"])
def test_another_scope_is_refused(dee: User, scope: str):
    answer = post_json(with_token(dee, scope), WEBHOOK, START)
    assert answer.status_code == 403
    assert "scope train" in answer.json()["error"]["message"]


def test_whoever_is_no_trainer_is_refused(dee: User):
    assert post_json(with_token(make_user("cy"), "train"), WEBHOOK, START).status_code == 403
    assert post_json(Client(), WEBHOOK, START).status_code in {401, 403}
    assert not Run.objects.exists()
