"""/metrics: who may see it, what it says, and that several processes add up."""

from __future__ import annotations

import http.client
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from config import counts
from dashboard.cube.counting import catch_up
from labeling.models import Label, LabelEvent
from predictions import metrics
from predictions.models import ModelVersion, WorkerBeat
from tests.bench.support.servers import gunicorn, manage, serving
from tests.factories import data_url, make_live, make_prediction
from tests.migrated import prepare
from tests.operation.installation import (
    PATIENCE,
    database_url,
    plain_environment,
    until,
)

TOKEN = "a-token-of-twenty-or-more"


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Parsed by the library's own parser: what it refuses fails here."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def read(client: Client, **headers: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    metrics.rows.forget()
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    return samples(answer.content.decode())


def of(found: Any, name: str, **labels: str) -> float:
    value: float = found.get((f"inkloop_{name}", frozenset(labels.items())), 0.0)
    return value


# -- who may see it -------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "192.0.2.7"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"X-Real-IP": "127.0.0.1"},
        {"Via": "1.1 proxy"},
    ],
)
def test_without_a_token_only_this_machine_itself_may_look(
    client: Client, headers: dict[str, str]
) -> None:
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == 404
    assert client.get("/metrics", headers=headers).status_code == 404


@pytest.mark.django_db
def test_with_a_token_whoever_shows_it_may_look_and_nobody_else(
    client: Client, settings: Any
) -> None:
    settings.METRICS_TOKEN = TOKEN
    shown = {"Authorization": f"Bearer {TOKEN}"}
    assert client.get("/metrics", headers=shown, REMOTE_ADDR="192.0.2.7").status_code == 200
    for bad in ("", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ", "Bearer …"):
        assert client.get("/metrics", headers={"Authorization": bad}).status_code == 404
    assert client.get("/metrics", {"token": TOKEN}).status_code == 404
    assert client.post("/metrics", headers=shown).status_code in {403, 405}


# -- what it says ---------------------------------------------------------------------------------


@pytest.mark.django_db
def test_requests_and_predictions_are_counted_by_name_never_by_address(client: Client) -> None:
    live = make_live("toy-counted")
    before = read(client)
    for _ in range(3):
        body = {"image": data_url()}
        client.post("/api/v1/predictions/", body, content_type="application/json")
    client.get("/nothing/CANARY/")
    after = read(client)

    def rise(name: str, **labels: str) -> float:
        return of(after, name, **labels) - of(before, name, **labels)

    route = "predictions_api:predictions"
    assert rise("requests_total", route=route, status="2xx") == 3
    assert rise("request_seconds_count", route=route) == 3
    assert rise("request_seconds_bucket", route=route, le="+Inf") == 3
    assert rise("requests_total", route="unrouted", status="4xx") == 1
    assert rise("predictions_total", version=live.name, source="api") == 3
    assert of(after, "serving", version=live.name) == 1
    assert "CANARY" not in str(after)


@pytest.mark.django_db
def test_figures_from_rows_are_those_of_the_rows(client: Client) -> None:
    from django.utils import timezone

    from labeling.batches.batches import restate_many
    from labeling.queue.intake import enqueue_new

    live = make_live("toy-audited")
    for digit in (7, 7, 3):  # the version says seven
        made = make_prediction(digit=7, is_audit=True, audit_probability=1)
        enqueue_new()
        LabelEvent.objects.create(prediction=made, kind="label", digit=digit)
        restate_many([made.pk])
    make_prediction()
    enqueue_new()
    WorkerBeat.objects.create(cluster="inkloop", host="here", seen_at=timezone.now())
    catch_up()
    found = read(client)
    assert of(found, "labels", state=Label.State.SETTLED) == 3
    assert of(found, "queue_items", stream="unsure") == 1
    assert 0 <= of(found, "queue_age_seconds", stream="unsure") < 60
    assert of(found, "live_accuracy_n", version=live.name) == 3
    assert of(found, "live_accuracy", version=live.name) == pytest.approx(2 / 3)
    low, high = (of(found, f"live_accuracy_{end}", version=live.name) for end in ("low", "high"))
    assert (low, high) == (pytest.approx(0.0943, abs=0.01), pytest.approx(0.9916, abs=1e-3))
    assert of(found, "runs", state="running") == 0
    assert of(found, "worker_seen_seconds", cluster="inkloop", host="here") < 60
    assert of(found, "database_answers") == 1


@pytest.mark.django_db
def test_the_live_versions_accuracy_counts_labels_that_wait_for_another_opinion(
    client: Client,
) -> None:
    """Those contradict the model: left out, they would make it look better than it is."""
    from labeling.batches.batches import restate_many
    from labeling.queue.intake import enqueue_new

    live = make_live("toy-doubted")
    for digit in (7, 3):  # the version says seven
        made = make_prediction(digit=7, is_audit=True, audit_probability=1)
        enqueue_new()
        LabelEvent.objects.create(
            prediction=made, kind="label", digit=digit, wants_second=digit != 7
        )
        restate_many([made.pk])
    assert Label.objects.filter(state=Label.State.AWAITING).count() == 1
    catch_up()
    found = read(client)
    assert of(found, "live_accuracy_n", version=live.name) == 2
    assert of(found, "live_accuracy", version=live.name) == 0.5


@pytest.mark.django_db
def test_many_askers_cost_the_database_as_much_as_one(
    client: Client, live_version: ModelVersion
) -> None:
    read(client)
    with CaptureQueriesContext(connection) as asked:
        client.get("/metrics")
    assert len(asked) == 0


def test_folders_of_servers_that_were_killed_are_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(counts.VARIABLE, raising=False)
    dead, other = tmp_path / f"{counts.PREFIX}4194304-x", tmp_path / "somebody-elses"
    dead.mkdir()
    other.mkdir()
    counts.make_folder(str(tmp_path))
    assert not dead.exists()
    assert other.exists()
    counts.remove_folder()
    assert [path.name for path in tmp_path.iterdir()] == [other.name]


# -- several processes ----------------------------------------------------------------------------


@pytest.mark.slow
def test_two_processes_of_one_server_add_up_whichever_is_asked(tmp_path: Path) -> None:
    with database_url() as url:
        env = plain_environment(tmp_path, DEBUG="true", WEB_PROCESSES="2", LOG_LEVEL="ERROR")
        env |= {"DATABASE_URL": url} if url else {}
        prepare(tmp_path)
        manage(env, "migrate", "--verbosity", "0")
        manage(env, "install_base")
        with serving("inkloop", gunicorn, ready="/readyz", env=env) as server:
            threads = [threading.Thread(target=ask, args=(server.port, 25)) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            until(lambda: len(serving_in(fetch(server.port, "/metrics"))) == 2, what="both serve")
            texts = [fetch(server.port, "/metrics") for _ in range(6)]
    for text in texts:
        found = samples(text)
        assert of(found, "requests_total", route="predictions:history", status="2xx") == 200
        assert of(found, "request_seconds_count", route="predictions:history") == 200


def serving_in(text: str) -> set[str]:
    return set(re.findall(r'inkloop_serving\{[^}]*pid="(\d+)"', text))


def ask(port: int, times: int) -> None:
    for _ in range(times):
        fetch(port, "/predictions/")


def fetch(port: int, path: str) -> str:
    """On a connection of its own, so that either process may take it."""
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        asking.request("GET", path)
        answer = asking.getresponse()
        text = answer.read().decode()
        assert answer.status == 200
        return text
    finally:
        asking.close()
