"""The system page: for whoever may see it, with all an operator asks for and no secret."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from predictions.models import WorkerBeat
from tests.factories import make_ben, make_cy, make_live, make_user
from training.models import Backup
from training.workers.schedules import make_schedules

pytestmark = pytest.mark.django_db
ADDRESS = "/admin/system/"


def shown(client: Client) -> str:
    answer = client.get(ADDRESS)
    assert answer.status_code == 200
    return answer.content.decode()


def test_only_who_has_the_right_may_look(client: Client) -> None:
    assert client.get(ADDRESS).status_code == 302
    for stranger in (make_cy(), make_user("tara", role="trainer", is_staff=True)):
        client.force_login(stranger)
        assert client.get(ADDRESS).status_code == 403
    make_live()
    client.force_login(make_ben())
    shown(client)
    assert client.post(ADDRESS).status_code == 405
    assert ADDRESS in client.get("/predictions/").content.decode()


def test_everything_an_operator_asks_for_is_there_and_no_secret(
    client: Client, settings: Any
) -> None:
    make_live("toy-shown")
    make_schedules()
    settings.METRICS_TOKEN = "CANARY-of-twenty-or-more"
    now = timezone.now()
    WorkerBeat.objects.create(cluster="inkloop", host="host-shown", seen_at=now, worked_at=now)
    Backup.objects.create(
        state="failed", path="kept.backup", host="here", started_at=now, reason="disk <full>"
    )
    client.force_login(make_ben())
    page = shown(client)
    for said in (
        "toy-shown", "host-shown", "kept.backup", "disk &lt;full&gt;", "nightly backup",
        "AUDIT_RATE", "daily at 3:00 AM", "every minute", 'data-code="no_worker"',
        'data-code="backup_failed"', connection.vendor,
    ):  # fmt: skip
        assert said in page
    assert "CANARY" not in page
    assert settings.SECRET_KEY not in page
    if password := settings.DATABASES["default"].get("PASSWORD"):
        assert password not in page


def test_more_hosts_and_versions_ask_no_more_queries(client: Client) -> None:
    make_live("toy-1")
    client.force_login(make_ben())
    few = queries_asked(client)
    for number in range(5):
        make_live(f"toy-more-{number}")
        WorkerBeat.objects.create(cluster="inkloop", host=str(number), seen_at=timezone.now())
    assert queries_asked(client) == few


def queries_asked(client: Client) -> int:
    """At the fewest: which version answers, and the like, is looked at anew every few seconds."""
    counts = []
    for _ in range(4):
        with CaptureQueriesContext(connection) as asked:
            shown(client)
        counts.append(len(asked))
    return min(counts)
