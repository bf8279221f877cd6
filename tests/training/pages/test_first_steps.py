"""The draw page leads a new installation to its first better version, and then no more."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from predictions.models import ModelVersion, Prediction
from tests.factories import make_ada, make_prediction, make_user, make_version
from tests.training.lessons import labeled
from training.models import Run, Trial
from training.runs import first_steps, retrain
from training.trials.trial import begin
from training.versions import promotion

pytestmark = pytest.mark.django_db
ITEM = re.compile(r'<li class="(\w*)".*?</li>', re.S)


@pytest.fixture(autouse=True)
def _few_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_steps, "LEAST_LABELS", 2)


@pytest.fixture
def trainer(client: Client) -> Client:
    client.force_login(make_user("tia", role="trainer"))
    return client


def page(client: Client) -> str:
    return " ".join(client.get("/").content.decode().split())


def marks(client: Client) -> list[str]:
    """Of each step: done, now, or nothing."""
    return ITEM.findall(page(client).partition("data-first-steps")[2])[:4]


def test_each_step_is_done_in_turn_and_all_go_when_a_version_is_live(
    trainer: Client, live_version: ModelVersion
) -> None:
    assert marks(trainer) == ["now", "", "", ""]
    assert "0 of 2" in page(trainer)
    assert "made-up history" in page(trainer)

    make_prediction()
    assert "1 of 2" in page(trainer)
    assert "made-up history" not in page(trainer)  # it would mix with what people drew
    make_prediction()
    assert marks(trainer) == ["done", "now", "", ""]

    labeled(3)
    labeled(4)
    assert marks(trainer) == ["done", "done", "now", ""]
    assert 'href="/training/">Fine-tune</a>' in page(trainer)

    run = retrain.ask(trigger=Run.Trigger.PAGE, least=1)
    assert f"run {run.pk} is queued" in page(trainer)
    made = make_version("toy-2")
    Run.objects.update(state=Run.State.DONE, version=made)
    assert marks(trainer) == ["done", "done", "done", "now"]
    assert "draw on: toy-2 reads along" in page(trainer)
    begin(made)
    Trial.objects.update(said="On 3 new drawings toy-2 mended 3.")
    assert "On 3 new drawings toy-2 mended 3." in page(trainer)
    assert 'href="/versions/toy-2/">See its trial</a>' in page(trainer)

    promotion.promote(made, by=None, why="It reads better.")
    assert marks(trainer) == []


def test_what_was_imported_is_not_drawn(trainer: Client, live_version: ModelVersion) -> None:
    make_prediction(source=Prediction.Source.IMPORT)
    assert "0 of 2" in page(trainer)


def test_a_step_that_is_undone_later_stays_done(
    trainer: Client, live_version: ModelVersion
) -> None:
    """After a run that made a version and one that failed, the fine-tune is done."""
    for _ in range(2):
        labeled(3)
    retrain.ask(trigger=Run.Trigger.PAGE, least=1)
    Run.objects.update(state=Run.State.DONE, version=make_version("toy-2"))
    retrain.ask(trigger=Run.Trigger.PAGE, least=1)
    Run.objects.filter(version=None).update(state=Run.State.FAILED)
    assert marks(trainer) == ["done", "done", "done", "now"]


@pytest.mark.parametrize("make", [make_ada, None])
def test_whoever_may_start_no_run_is_not_shown_them(
    client: Client, live_version: ModelVersion, make: type[User] | None
) -> None:
    if make is not None:
        client.force_login(make())
    assert "data-first-steps" not in page(client)
