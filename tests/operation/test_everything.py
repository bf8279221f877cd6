"""./run test says what it could not check, and no failure passes for a success."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import TestCase

from tests import everything
from tests.conftest import may_need_database, may_start_first
from tests.everything import Tally

pytestmark = pytest.mark.same_on_any_database

SUITE = '<testsuites><testsuite tests="9" failures="1" errors="2" skipped="3"/></testsuites>'
ENVIRONMENT = dict(os.environ)


@pytest.fixture
def in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(everything, "IS_CI", True)


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(everything, "IS_CI", False)


def test_without_chromium_and_postgresql_it_says_what_was_skipped(
    at_home: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(everything.shutil, "which", lambda name: None)
    monkeypatch.delenv("TEST_DATABASE_URL", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    tally = Tally()
    assert "apt install chromium" in everything.missing_for_browsers()
    assert list(everything.databases(tally)) == [("SQLite", "")]
    assert (tally.failed, tally.skipped) == (0, 1)
    assert "skipped  PostgreSQL: TEST_DATABASE_URL names no server" in tally.lines[0]


def test_in_ci_what_is_missing_is_a_failure(in_ci: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_DATABASE_URL", "postgres://ada@127.0.0.1:1/digits")
    tally = Tally()
    assert list(everything.databases(tally)) == [("SQLite", "")]
    assert (tally.failed, tally.skipped) == (1, 0)
    assert "does not answer" in tally.lines[0]


def test_a_check_that_fails_is_a_failure_and_shows_why(capsys: Any) -> None:
    tally = Tally()
    everything.check(
        tally, "that", [sys.executable, "-c", "raise SystemExit('not so')"], ENVIRONMENT
    )
    everything.check(tally, "this", [sys.executable, "-c", "print('fine')"], ENVIRONMENT)
    assert tally.failed == 1
    said = capsys.readouterr().out
    assert "not so" in said
    assert "fine" not in said


def test_each_check_of_the_code_counts_also_the_one_that_runs_beside_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(tally: Tally, what: str, *given: Any, **more: Any) -> None:
        tally.failed += 1
        tally.note("FAILED", what)

    monkeypatch.setattr(everything, "check", fails)
    tally = Tally()
    everything.check_code(tally, ENVIRONMENT)
    assert "  FAILED   types" in tally.lines
    assert tally.failed == len(tally.lines) == 8


@pytest.mark.slow
def test_a_database_of_vulnerabilities_that_cannot_be_reached_is_said_and_no_failure(
    in_ci: None, capsys: Any
) -> None:
    tally = Tally()
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    environment = {**ENVIRONMENT, **nowhere}
    everything.check(tally, "flaws", everything.AUDIT, environment, not_asked=everything.NOT_ASKED)
    assert "skipped  flaws" in tally.lines[0]
    assert "the database cannot be reached" in tally.lines[0]
    assert (tally.failed, capsys.readouterr().out) == (0, "flaws …\n")


class Advisories(BaseHTTPRequestHandler):
    """A database in OSV's form that knows one flaw of every package."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        affected = {"package": asked["package"], "versions": [asked["version"]], "ranges": []}
        flaw = {"id": "FLAW-1", "summary": "It can be broken.", "affected": [affected]}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"vulns": [flaw]}).encode())

    def log_message(self, *said: Any) -> None:
        """Nothing."""


@pytest.mark.slow
def test_a_known_vulnerability_is_a_failure(in_ci: None, capsys: Any) -> None:
    tally = Tally()
    with HTTPServer(("127.0.0.1", 0), Advisories) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        database = ["-s", "osv", "--osv-url", f"http://127.0.0.1:{server.server_port}"]
        argv = [*everything.AUDIT, *database]
        everything.check(tally, "flaws", argv, ENVIRONMENT, not_asked=everything.NOT_ASKED)
        server.shutdown()
    assert tally.failed == 1
    assert "FLAW-1" in capsys.readouterr().out


def test_an_audit_that_cannot_begin_is_a_failure(in_ci: None) -> None:
    tally = Tally()
    argv = [*everything.AUDIT, "--no-such-option"]
    everything.check(tally, "flaws", argv, ENVIRONMENT, not_asked=everything.NOT_ASKED)
    assert tally.failed == 1


def test_results_are_counted(tmp_path: Path) -> None:
    result = tmp_path / "result.xml"
    result.write_text(SUITE)
    assert everything.counts_in(result) == (3, 3, 3)


@pytest.mark.parametrize(
    ("test", "passed", "failed", "skipped"),
    [
        ("def test_it():\n    assert True\n", 1, 0, 0),
        ("def test_it():\n    assert False\n", 0, 1, 0),
        ("import pytest\ndef test_it():\n    pytest.skip('no time')\n", 0, 0, 1),
        ("import nothing_of_this_name\n", 0, 1, 0),
        ("# no test here\n", 0, 1, 0),
    ],
)
def test_a_run_without_a_success_is_no_success(
    tmp_path: Path, test: str, passed: int, failed: int, skipped: int
) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(test)
    options = ["-c", os.devnull, "-p", "no:cacheprovider", str(file)]
    tally = Tally()
    alone = {**ENVIRONMENT, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # pytest itself says how it ends
    everything.run_pytest(tally, "it", options, alone, tmp_path / "result.xml")
    assert (tally.passed, tally.failed, tally.skipped) == (passed, failed, skipped)


def test_the_last_line_is_plain(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(tally: Tally, *rest: Any) -> None:
        tally.passed, tally.failed, tally.skipped = 7, 1, 2

    monkeypatch.setattr(everything, "check_code", lambda *rest: None)
    monkeypatch.setattr(everything, "run_tests", fail)
    assert everything.main([]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "7 passed, 1 failed, 2 skipped"


def test_only_the_first_database_is_asked_what_no_database_can_change() -> None:
    def chosen(*, is_first: bool, arguments: list[str] | None = None) -> list[str]:
        found = everything.parts(arguments or [], with_browsers=True, is_first=is_first)
        return [" ".join(options) for _, options in found]

    first, second = chosen(is_first=True), chosen(is_first=False)
    assert "same_on_any_database" not in "".join(first)
    assert all("not same_on_any_database" in part for part in second)
    assert "tests/journeys" in first[1]
    named = ["tests/predictions"]  # what somebody names is run as it is named
    assert chosen(is_first=False, arguments=named) == named


def test_what_begins_with_a_clone_runs_in_ci_and_where_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def chosen(arguments: list[str]) -> str:
        parts = everything.parts(arguments, with_browsers=True, is_first=True)
        return " ".join(word for _, options in parts for word in options)

    monkeypatch.setattr(everything, "IS_CI", False)
    assert chosen([]).count("not from_a_clone") == 2
    assert "from_a_clone" not in chosen(["tests/operation/test_tutorial.py"])
    monkeypatch.setattr(everything, "IS_CI", True)
    assert "from_a_clone" not in chosen([])


def test_no_test_with_a_browser_lies_where_it_is_not_looked_for() -> None:
    tests = everything.ROOT / "tests"
    mark = re.compile(r"^(pytestmark = |@).*mark\.browser", re.M)
    marked = [file for file in tests.rglob("test_*.py") if mark.search(file.read_text())]
    assert {file.parent for file in marked} == {tests / "journeys"}


class AccountTest(TestCase):
    """Of Django's own kind: it reaches a database without asking for a fixture."""


def collected(marks: Iterable[str] = (), fixtures: Iterable[str] = (), **more: Any) -> Any:
    """A test as pytest has collected it."""
    return SimpleNamespace(
        fixturenames=list(fixtures),
        get_closest_marker=lambda name: SimpleNamespace(kwargs={}) if name in marks else None,
        cls=more.get("cls"),
        path=Path(more.get("path", "tests/predictions/glyphs/test_glyph.py")),
    )


@pytest.mark.parametrize(
    ("item", "may_reach"),
    [
        ({}, False),
        ({"fixtures": ["db"]}, True),
        ({"fixtures": ["live_server"]}, True),
        ({"marks": {"django_db"}}, True),
        ({"marks": {"slow"}}, True),  # it starts programs
        ({"cls": AccountTest}, True),
        ({"path": "tests/operation/test_health.py"}, True),
    ],
)
def test_what_may_reach_a_database_is_asked_of_both(item: dict[str, Any], may_reach: bool) -> None:
    assert may_need_database(collected(**item)) is may_reach


@pytest.mark.parametrize(
    ("item", "first"),
    [
        ({}, False),
        ({"marks": {"slow"}}, True),
        ({"marks": {"slow"}, "fixtures": ["db"]}, True),
        ({"marks": {"slow"}, "fixtures": ["transactional_db"]}, False),
        # All with a browser empty the tables.
        ({"marks": {"slow", "browser"}, "fixtures": ["live_server"]}, True),
        ({"marks": {"browser"}, "fixtures": ["live_server"]}, False),
    ],
)
def test_what_takes_long_starts_first_unless_it_empties_tables(
    item: dict[str, Any], first: bool
) -> None:
    assert may_start_first(collected(**item)) is first
