"""Configuration: a bad value names its variable, a bad pair is a check with a hint."""

from __future__ import annotations

import os
import runpy
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from config import env
from tests.operation.installation import PATIENCE, ROOT, free_port
from tests.operation.production import gunicorn, production

pytestmark = pytest.mark.same_on_any_database

READERS: dict[str, Callable[[str], Any]] = {
    "flag": lambda name: env.flag(name, default=False),
    "whole": lambda name: env.whole(name, default=3, least=0, most=9),
    "fraction": lambda name: env.fraction(name, default=0.5),
    "weights": lambda name: env.weights(name, default={"audit": 30, "unsure": 15}),
    "hosts": lambda name: env.hosts(name, default=["localhost"]),
    "origins": env.origins,
    "zone": lambda name: env.zone(name, default="UTC"),
    "database": lambda name: env.database(name, default=Path("here.sqlite3")),
    "mail": env.mail_settings,
    "secret": lambda name: env.secret(name, kept_in=Path("nowhere")),
}
BAD = [
    ("flag", "yes"),
    ("flag", "on"),
    ("whole", "10"),
    ("whole", "-1"),
    ("whole", "3.0"),
    ("whole", "٣"),
    ("fraction", "5%"),
    ("fraction", "1.01"),
    ("fraction", "nan"),
    ("hosts", "*"),
    ("hosts", "https://digits.example.org"),
    ("origins", "digits.example.org"),
    ("origins", "https://digits.example.org/draw"),
    ("weights", "audit"),
    ("weights", "audit=-1"),
    ("weights", "autid=50"),
    ("weights", "audit=0, unsure=0"),
    ("zone", "Mars/Olympus"),
    ("zone", "../etc/passwd"),
    ("database", "mysql://ada@localhost/digits"),
    ("database", "postgres://ada@localhost"),
    ("database", "postgres://ada@localhost:port/digits"),
    ("mail", "gopher://localhost"),
    ("secret", ""),
    ("secret", "short"),
    ("secret", "a" * 60),
]
GOOD = [
    ("flag", "True", True),
    ("flag", "0", False),
    ("whole", "9", 9),
    ("fraction", "0.05", 0.05),
    ("hosts", "digits.example.org, ink.example.org", ["digits.example.org", "ink.example.org"]),
    ("origins", "https://digits.example.org", ["https://digits.example.org"]),
    ("weights", "audit=50", {"audit": 50, "unsure": 15}),
    ("weights", "audit=50, unsure = 0", {"audit": 50, "unsure": 0}),
    ("zone", "Europe/Berlin", "Europe/Berlin"),
]


@pytest.mark.parametrize(("reader", "value"), BAD)
def test_a_bad_value_is_an_error_that_names_its_variable(
    reader: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_SETTING", value)
    with pytest.raises(ImproperlyConfigured, match="SOME_SETTING"):
        READERS[reader]("SOME_SETTING")


@pytest.mark.parametrize(("reader", "value", "meant"), GOOD)
def test_a_good_value_is_read(
    reader: str, value: str, meant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_SETTING", value)
    assert READERS[reader]("SOME_SETTING") == meant


def test_a_database_address_may_hold_any_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "SOME_SETTING", "postgres://ada:p%40ss%2Fword@db.example.org:6543/digits?sslmode=require"
    )
    read = env.database("SOME_SETTING", default=Path("here.sqlite3"))
    assert (read["USER"], read["PASSWORD"]) == ("ada", "p@ss/word")
    assert (read["HOST"], read["PORT"], read["NAME"]) == ("db.example.org", "6543", "digits")
    assert read["OPTIONS"]["sslmode"] == "require"


@pytest.mark.parametrize(
    ("query", "asked"),
    [("?options=", ""), ("?options=-c%20jit%3Doff", "-c jit=off")],
)
def test_what_postgresql_is_asked_for_can_be_said_otherwise_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, query: str, asked: str
) -> None:
    monkeypatch.setenv("SOME_SETTING", f"postgres://ada@db.example.org/digits{query}")
    assert env.database("SOME_SETTING", default=Path("here.sqlite3"))["OPTIONS"]["options"] == asked


def test_a_web_process_waits_for_nobodys_lock_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LOCK_TIMEOUT", raising=False)
    monkeypatch.setenv("SOME_SETTING", "postgres://ada@db.example.org/digits")
    asked = env.database("SOME_SETTING", default=Path("here.sqlite3"))["OPTIONS"]["options"]
    assert "-c lock_timeout=0s" in asked  # a migration or a backup waits as long as it takes
    monkeypatch.setenv("LOCK_TIMEOUT", "")  # whatever becomes of it is put back
    monkeypatch.delenv("LOCK_TIMEOUT")
    runpy.run_path(str(ROOT / "config" / "gunicorn.py"))
    asked = env.database("SOME_SETTING", default=Path("here.sqlite3"))["OPTIONS"]["options"]
    assert "-c lock_timeout=3s" in asked
    assert "-c tcp_keepalives_idle=5" in asked


# -- the secret --------------------------------------------------------------------------------

ASK = "import sys; from pathlib import Path; from config import env; "
ASK += "print(env.secret('SOME_SECRET', kept_in=Path(sys.argv[1])))"


def test_processes_that_start_together_share_one_secret_nobody_else_can_read(
    tmp_path: Path,
) -> None:
    file = tmp_path / "secret_key"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", ASK, str(file)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    secrets = {process.communicate()[0].strip() for process in started}
    assert len(secrets) == 1
    assert len(secrets.pop()) >= 50
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["secret_key"]


# -- settings that are wrong together ------------------------------------------------------------


ON_POSTGRESQL = "postgres://ada@127.0.0.1:1/digits"  # where nothing answers: nothing asks


def test_many_hosts_that_share_their_secret_pass(tmp_path: Path) -> None:
    done = check(production(tmp_path, DATABASE_URL=ON_POSTGRESQL), "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr


def check(environment: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "check", *options],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_production_settings_pass_every_check_of_a_deployment(tmp_path: Path) -> None:
    done = check(production(tmp_path), "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
    assert "0 silenced" in done.stdout


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"DATABASE_URL": ON_POSTGRESQL, "SECRET_KEY": None}, "inkloop.E001"),
        ({"DEBUG": "true"}, "DEBUG must be false where ALLOWED_HOSTS names digits.example.org"),
        ({"HTTPS": "false"}, "inkloop.W001"),
        ({"SECRET_KEY": "too short"}, "SECRET_KEY"),
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"DATABASE_URL": "oracle://db/digits"}, "DATABASE_URL"),
    ],
)
def test_a_bad_pair_is_refused_with_a_hint(
    tmp_path: Path, changed: dict[str, str | None], said: str
) -> None:
    done = check(production(tmp_path, **changed), "--fail-level", "WARNING")
    assert done.returncode != 0
    assert said in done.stderr
    if said.startswith("inkloop."):
        assert "HINT" in done.stderr


def test_a_web_server_that_would_show_its_source_to_the_world_does_not_start(
    tmp_path: Path,
) -> None:
    command = gunicorn(free_port())
    done = subprocess.run(
        command, cwd=ROOT, env=production(tmp_path, DEBUG="true"), timeout=PATIENCE,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "DEBUG must be false" in done.stderr


def ids() -> set[str | None]:
    return {found.id for found in run_checks()}


def test_a_job_must_end_before_it_is_tried_again(settings: Any) -> None:
    assert "inkloop.E003" not in ids()
    settings.Q_CLUSTER = {**django_settings.Q_CLUSTER, "retry": 600, "timeout": 300}
    assert "inkloop.E003" in ids()
