from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from predictions.models import ModelVersion
from tests.factories import make_ada, make_cy, make_user, make_version
from tests.training.lessons import labeled
from training.models import GateReport, Run
from training.runs import retrain

pytestmark = pytest.mark.django_db
RUNS = "/api/v1/runs/"


@pytest.fixture(autouse=True)
def _few_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrain.ask, "__kwdefaults__", {**retrain.ask.__kwdefaults__, "least": 2})


@pytest.fixture
def trainer(client: Client) -> Client:
    client.force_login(make_user("tia", role="trainer"))
    return client


def asked(**fields: Any) -> Run:
    labeled(3)
    run = retrain.ask(trigger=Run.Trigger.COMMAND, least=1)
    Run.objects.filter(pk=run.pk).update(**fields)
    run.refresh_from_db()
    return run


def address(run: Run, then: str = "") -> str:
    return f"{RUNS}{run.public_id}/{then}"


# -- asking --------------------------------------------------------------------------------------


def test_a_program_starts_a_run(trainer: Client, live_version: ModelVersion) -> None:
    labeled(3)
    labeled(4)
    answer = trainer.post(RUNS, {"seed": 3}, content_type="application/json")
    assert answer.status_code == 201, answer.content
    assert Run.objects.get().request_id == answer["X-Request-ID"]  # its log lines are found by it
    body = answer.json()
    run = Run.objects.get()
    assert body["id"] == str(run.public_id)
    assert (body["state"], body["trigger"], body["asked_by"]) == ("queued", "api", "tia")
    assert (body["labels"], body["parent"], body["verdict"]) == (2, live_version.name, None)
    assert run.recipe["seed"] == 3


def test_too_few_labels_are_declined_in_the_shape_of_every_error(
    trainer: Client, live_version: ModelVersion
) -> None:
    answer = trainer.post(RUNS, {}, content_type="application/json")
    assert answer.status_code == 409
    assert answer.json()["error"] == {
        "code": "not_enough_labels",
        "message": "0 labels to learn from, 2 needed.",
    }


def test_a_second_run_is_declined_while_one_is_active(
    trainer: Client, live_version: ModelVersion
) -> None:
    asked()
    answer = trainer.post(RUNS, {}, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "already_running")


@pytest.mark.parametrize("sent", [{"seed": -1}, {"seed": 2**40}, {"seed": "many"}])
def test_a_seed_out_of_bounds_is_refused(
    trainer: Client, live_version: ModelVersion, sent: dict[str, Any]
) -> None:
    labeled(3)
    labeled(4)
    answer = trainer.post(RUNS, sent, content_type="application/json")
    assert answer.status_code == 400
    assert not Run.objects.exists()


# -- following -----------------------------------------------------------------------------------


def test_a_run_is_told_with_its_curve_its_log_and_its_verdict(
    trainer: Client, live_version: ModelVersion
) -> None:
    made = make_version("toy-2")
    run = asked(state="running", progress=0.45, attempts=1, version=made)
    retrain.keep_epoch(run, 1, 0.5, 0.9)
    retrain.keep_epoch(run, 2, 0.4, 0.95)
    run.epochs.filter(number=2).update(holdout_accuracy=0.97)  # as older releases did
    GateReport.objects.create(
        candidate=made,
        against=live_version,
        verdict="more",
        labels_needed=120,
        reasons=["Too few of 8."],
        figures={},
        look=1,
    )
    body = trainer.get(address(run)).json()
    assert (body["state"], body["progress"], body["version"]) == ("running", 0.45, "toy-2")
    assert body["epochs"] == [
        {"number": 1, "loss": 0.5, "accuracy": 0.9, "holdout_accuracy": None},
        {"number": 2, "loss": 0.4, "accuracy": 0.95, "holdout_accuracy": 0.97},
    ]
    assert [line.split(" ", 1)[1] for line in body["log"]] == [
        "Epoch 1: loss 0.5000, 90.00% while learning.",
        "Epoch 2: loss 0.4000, 95.00% while learning.",
    ]
    assert body["verdict"] == {
        "verdict": "more",
        "labels_needed": 120,
        "reasons": ["Too few of 8."],
    }


def test_asking_again_costs_one_small_query_until_something_changes(
    trainer: Client, live_version: ModelVersion, django_assert_max_num_queries: Any
) -> None:
    run = asked(state="running", attempts=1)
    tag = trainer.get(address(run))["ETag"]
    with django_assert_max_num_queries(8):  # session, person and permissions among them
        answer = trainer.get(address(run), headers={"if-none-match": tag})
    assert (answer.status_code, answer.content) == (304, b"")
    for change in (
        lambda: retrain.keep_epoch(run, 1, 0.5, 0.9),
        lambda: Run.objects.update(progress=0.3),
        lambda: Run.objects.update(state="done"),
    ):
        change()
        answer = trainer.get(address(run), headers={"if-none-match": tag})
        assert answer.status_code == 200
        assert answer["ETag"] != tag
        tag = answer["ETag"]


def test_the_verdict_changes_the_tag(trainer: Client, live_version: ModelVersion) -> None:
    made = make_version("toy-2")
    run = asked(state="running", attempts=1, version=made)
    tag = trainer.get(address(run))["ETag"]
    GateReport.objects.create(
        candidate=made, against=live_version, verdict="more", reasons=[], figures={}, look=1
    )
    assert trainer.get(address(run), headers={"if-none-match": tag}).status_code == 200


def test_an_unknown_run_is_not_found(trainer: Client) -> None:
    answer = trainer.get(f"{RUNS}{uuid.uuid4()}/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_runs_are_listed_newest_first_page_by_page(
    trainer: Client, live_version: ModelVersion, django_assert_num_queries: Any
) -> None:
    runs = [asked(state="done") for _ in range(5)]
    first = trainer.get(f"{RUNS}?limit=3").json()
    assert [row["id"] for row in first["results"]] == [
        str(run.public_id) for run in reversed(runs[2:])
    ]
    second = trainer.get(first["next"]).json()
    assert [row["id"] for row in second["results"]] == [
        str(run.public_id) for run in reversed(runs[:2])
    ]
    assert second["next"] is None
    assert trainer.get(f"{RUNS}?limit=0").status_code == 400
    assert trainer.get(f"{RUNS}?page=2").status_code == 400


# -- canceling -----------------------------------------------------------------------------------


def test_a_waiting_run_is_canceled_and_an_ended_one_not(
    trainer: Client, live_version: ModelVersion
) -> None:
    run = asked()
    answer = trainer.post(address(run, "cancel/"))
    assert (answer.status_code, answer.json()["state"]) == (200, "canceled")
    answer = trainer.post(address(run, "cancel/"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_active")


# -- who may -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [make_ada, make_cy])
def test_labelers_and_people_without_a_role_may_neither_look_nor_start(
    client: Client, live_version: ModelVersion, make: Any
) -> None:
    run = asked()
    client.force_login(make())
    assert client.get(RUNS).status_code == 403
    assert client.get(address(run)).status_code == 403
    assert client.post(RUNS, {}, content_type="application/json").status_code == 403
    assert client.post(address(run, "cancel/")).status_code == 403
    assert Run.objects.get().state == Run.State.QUEUED


def test_an_analyst_may_look_and_not_start(client: Client, live_version: ModelVersion) -> None:
    run = asked()
    client.force_login(make_user("ann", role="analyst"))
    assert client.get(address(run)).status_code == 200
    assert client.post(address(run, "cancel/")).status_code == 403


def test_a_visitor_may_nothing(client: Client, live_version: ModelVersion) -> None:
    assert client.get(RUNS).status_code in {401, 403}
    assert client.post(RUNS, {}, content_type="application/json").status_code in {401, 403}
