"""/readyz and what it says of the workers."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone

from predictions.models import ModelVersion, WorkerBeat
from predictions.operation.health import workers_part

pytestmark = pytest.mark.django_db
NOW = timedelta()
DAY = timedelta(days=1)


def saw(cluster: str, seen: timedelta, worked: timedelta | None, host: str = "here") -> None:
    now: datetime = timezone.now()
    worked_at = None if worked is None else now - worked
    WorkerBeat.objects.create(cluster=cluster, host=host, seen_at=now - seen, worked_at=worked_at)


def test_both_clusters_seen_and_working_is_well() -> None:
    saw("inkloop", NOW, NOW)
    saw("training", NOW, NOW)
    assert workers_part().state == "ok"


def test_a_missing_cluster_is_named() -> None:
    saw("inkloop", NOW, NOW)
    saw("training", timedelta(minutes=2), NOW)
    part = workers_part()
    assert part.state == "degraded"
    assert "training" in part.message
    assert "inkloop" not in part.message


def test_a_cluster_that_lives_and_does_nothing_is_named() -> None:
    saw("inkloop", NOW, DAY)
    saw("training", NOW, timedelta(hours=5))  # a run may take six
    part = workers_part()
    assert part.state == "degraded"
    assert "finish no jobs" in part.message
    assert "training" not in part.message


def test_one_working_host_of_two_is_enough() -> None:
    saw("inkloop", NOW, None, host="new")
    saw("inkloop", NOW, NOW, host="old")
    saw("training", NOW, NOW)
    assert workers_part().state == "ok"


def test_without_workers_drawing_goes_on(client: Client, live_version: ModelVersion) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["state"] == "degraded"
    assert answer.json()["parts"]["model"]["state"] == "ok"


def test_a_missing_migration_among_applied_ones_makes_it_not_ready(
    client: Client, live_version: ModelVersion
) -> None:
    assert client.get("/readyz").status_code == 200
    MigrationRecorder(connection).record_unapplied("labeling", "0003_places")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"]["migrations"]["message"] == "1 migrations are not applied."


def test_without_a_model_it_is_not_ready_and_still_alive(client: Client) -> None:
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").content == b"ok\n"
