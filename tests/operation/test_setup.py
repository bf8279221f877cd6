"""manage.py setup: makes an installation ready once, and does nothing the second time."""

from __future__ import annotations

import functools
import io
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import RequestFactory
from django.utils import timezone
from django_q.models import Schedule

from predictions.models import ModelVersion
from predictions.serving import registry
from training.management.commands import setup
from training.workers.schedules import SCHEDULES

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path
    settings.STATIC_ROOT = tmp_path / "collected"
    settings.STATICFILES_DIRS = [tmp_path / "static"]
    (tmp_path / "static").mkdir()


@pytest.fixture(autouse=True)
def collected(monkeypatch: pytest.MonkeyPatch, settings: Any) -> list[str]:
    """The commands setup called, without the seconds that compressing every file takes."""
    called: list[str] = []
    really = setup.call_command

    def call(name: str, **options: Any) -> None:
        called.append(name)
        if name == "collectstatic":
            settings.STATIC_ROOT.mkdir(exist_ok=True)
            (settings.STATIC_ROOT / "staticfiles.json").write_text("{}")
        else:
            really(name, **options)

    monkeypatch.setattr(setup, "call_command", call)
    return called


def set_up() -> str:
    said = io.StringIO()
    call_command("setup", stdout=said)
    return said.getvalue()


def test_the_first_account_has_a_password_nobody_knew_and_it_is_shown_once() -> None:
    said = set_up()
    found = re.search(r"password\s+(\S{20,})", said)
    assert found
    request = RequestFactory().post("/accounts/login/")
    account = authenticate(request, username="admin", password=found[1])
    assert account is not None
    assert [group.name for group in User.objects.get().groups.all()] == ["admin"]
    assert "password" not in set_up()
    assert User.objects.count() == 1


def test_two_installations_have_two_passwords() -> None:
    first = re.search(r"password\s+(\S{20,})", set_up())
    User.objects.all().delete()
    second = re.search(r"password\s+(\S{20,})", set_up())
    assert first
    assert second
    assert first[1] != second[1]


def test_where_there_are_accounts_none_is_added() -> None:
    User.objects.create_user("ada")
    assert "password" not in set_up()
    assert User.objects.count() == 1


def test_the_shipped_version_goes_live_and_stays_the_only_one() -> None:
    set_up()
    set_up()
    assert ModelVersion.objects.live().count() == 1
    assert ModelVersion.objects.count() == 1


def test_the_schedules_are_made_once_and_an_admins_change_stays() -> None:
    set_up()
    nightly = Schedule.objects.get(name="nightly fine-tune")
    assert nightly.next_run > timezone.now()  # the first night, not the first minute
    Schedule.objects.filter(pk=nightly.pk).update(cron="0 4 * * 1")
    made = set(Schedule.objects.values_list("name", flat=True))
    set_up()
    assert {entry["name"] for entry in SCHEDULES} <= made
    assert set(Schedule.objects.values_list("name", flat=True)) == made
    assert Schedule.objects.get(pk=nightly.pk).cron == "0 4 * * 1"


def test_page_files_are_collected_again_when_one_has_changed(
    tmp_path: Path, collected: list[str], settings: Any
) -> None:
    set_up()
    settings.DATA_DIR = tmp_path / "another installation of this checkout"
    settings.DATA_DIR.mkdir()
    set_up()
    assert collected.count("collectstatic") == 1
    (tmp_path / "static" / "new.css").write_text("body {}")
    set_up()
    assert collected.count("collectstatic") == 2
    (tmp_path / "collected" / "staticfiles.json").unlink()
    set_up()
    assert collected.count("collectstatic") == 3


def test_a_checkout_without_the_shipped_version_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = functools.partial(registry.install_base, tmp_path)
    monkeypatch.setattr("predictions.management.commands.install_base.install_base", elsewhere)
    with pytest.raises(CommandError, match=r"card\.json is missing"):
        call_command("install_base")
