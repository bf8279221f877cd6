"""A database and backups that an older release made, aea1ab7, go on in this one.

Both files here were made by that release; make.py beside them says how.
"""

from __future__ import annotations

import json
import sqlite3
import zipfile
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django_q.models import OrmQ, Schedule, Task

from labeling.models import Batch, Label, LabelEvent
from predictions.models import Prediction
from tests.factories import data_url
from tests.labeling.door import Door
from training.models import Run
from training.workers.schedules import make_schedules, schedules

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

MADE = Path(__file__).parent / "made_by_aea1ab7"


def restored(vendor: str) -> dict[str, Any]:
    told, warned = StringIO(), StringIO()
    call_command(
        "restore", MADE / f"{vendor}.backup", trust=True, json=True, verbosity=0, stdout=told,
        stderr=warned,
    )  # fmt: skip
    assert "sealed without a secret" in warned.getvalue()
    done: dict[str, Any] = json.loads(told.getvalue())
    return done


@pytest.fixture(params=["database", "backup", "backup of SQLite"])
def upgraded(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Ada's and Ben's installation, brought here by its own file or by a backup."""
    call_command("flush", interactive=False, verbosity=0)
    if request.param == "database":
        if connection.vendor != "sqlite":
            pytest.skip(
                "only SQLite can open the old release's file; PostgreSQL restores its backup"
            )
        with zipfile.ZipFile(MADE / "sqlite.backup") as packed:
            packed.extract("database.sqlite3", tmp_path)
        with closing(sqlite3.connect(tmp_path / "database.sqlite3")) as old:
            old.backup(connection.connection)
        call_command("migrate", verbosity=0)
        make_schedules()
    elif request.param == "backup":
        assert restored(connection.vendor)["equal"]
    elif connection.vendor == "sqlite":
        pytest.skip('the case "backup" restores the same file on SQLite')
    else:
        assert restored("sqlite")["equal"]
    return str(request.param)


def test_an_installation_of_that_release_goes_on(upgraded: str) -> None:
    call_command("migrate", check_unapplied=True, verbosity=0)
    nothing_is_lost()
    schedules_stand(upgraded)
    people_go_on()


def nothing_is_lost() -> None:
    check_what_is_derived()
    assert Prediction.objects.count() == 43
    assert Batch.objects.filter(kind="correction", undone_at=None).count() == 1
    assert Batch.objects.exclude(undone_at=None).count() == 1
    assert LabelEvent.objects.filter(is_unreadable=True).exists()
    assert User.objects.get(username="ada").groups.get().name == "labeler"
    assert Run.objects.get(state="done").log == "läuft\nfertig"


def check_what_is_derived() -> None:
    """Labels, queue and cube are what the logs add up to."""
    call_command("rebuild_labels", check=True, verbosity=0, stdout=StringIO())
    call_command("rebuild_cube", check=True, verbosity=0, stdout=StringIO())


def schedules_stand(upgraded: str) -> None:
    due = {each["name"]: each["func"] for each in schedules()}
    assert dict(Schedule.objects.values_list("name", "func")) == due
    if upgraded == "database":
        assert Schedule.objects.get(name="nightly erasure").cron == "30 4 * * *"
    else:
        assert OrmQ.objects.count() == Run.objects.filter(state="queued").count() == 1
        assert not Task.objects.exists()


def people_go_on() -> None:
    last = Prediction.objects.order_by("pk").last()
    assert last is not None
    visitor = Client()
    drawn = visitor.post(
        "/api/v1/predictions/", {"image": data_url()}, content_type="application/json"
    ).json()
    assert drawn["digit"] == 7
    assert Prediction.objects.get(public_id=drawn["id"]).pk == last.pk + 1
    ada = Door(User.objects.get(username="ada"))
    before = Label.objects.count()
    assert ada.label(ada.item(), 5).status_code == 200
    assert Label.objects.count() == before + 1
    assert ada.undo().status_code == 200
    assert Label.objects.count() == before
    ben = Client()
    ben.force_login(User.objects.get(username="ben"))
    for page in ("/", "/label/", "/dashboard/", "/versions/", "/review/", "/admin/"):
        assert ben.get(page).status_code == 200, page
    check_what_is_derived()


def test_a_postgresql_backup_of_that_release_is_refused_by_sqlite_in_words() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("that backup is PostgreSQL's own, and restores there")
    with pytest.raises(CommandError, match="by an older release on PostgreSQL"):
        restored("postgresql")


def test_an_older_backup_needs_trust() -> None:
    call_command("flush", interactive=False, verbosity=0)
    with pytest.raises(CommandError, match=r"sealed without a secret.*--trust"):
        call_command("restore", MADE / f"{connection.vendor}.backup", verbosity=0)
    assert not User.objects.exists()
