"""./run serve: what it keeps alive, and what it leaves behind."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.operation.installation import Installation, gone, until

pytestmark = pytest.mark.slow


@pytest.fixture
def own(tmp_path: Path, scratch_database_url: str) -> Iterator[Installation]:
    installation = Installation(tmp_path, scratch_database_url)
    installation.start()
    processes = installation.processes()
    yield installation
    for process in processes:
        if process.is_running():
            process.kill()


def complete(installation: Installation) -> list[psutil.Process]:
    """Web master and process, and twice main, guard, worker, monitor, pusher."""
    until(lambda: len(installation.processes()) >= 12, within=20, what="all have started")
    return installation.processes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_server_leaves_no_process(own: Installation, number: int) -> None:
    old = complete(own)
    assert own.kill(number) == 0
    assert gone(old)
    assert "run: stopped." in own.log
    assert "killing the rest" not in own.log


def test_a_server_whose_parent_is_killed_leaves_no_process(own: Installation) -> None:
    old = complete(own)
    own.kill(signal.SIGKILL)
    until(lambda: gone(old), within=5, what="nothing is left")
    assert own.get("/healthz", timeout=1) == 0


@pytest.mark.parametrize("victim", ["gunicorn: worker", "gunicorn: master"])
def test_a_killed_web_server_is_back_and_refuses_nobody(
    installation: Installation, victim: str
) -> None:
    old = until(lambda: installation.named(victim), within=10, what="the web server runs")
    for process in old:
        process.kill()
    killed_at = time.monotonic()
    # Callers wait in the socket that ./run holds; nobody is refused.
    assert installation.get("/healthz", timeout=10) == 200
    assert time.monotonic() - killed_at < 8
    new = installation.named(victim)
    assert new
    assert {process.pid for process in new}.isdisjoint({process.pid for process in old})


def test_the_first_start_shows_one_password_and_the_second_none(own: Installation) -> None:
    assert own.log.count("password  ") == 1
    own.kill()
    own.start()
    complete(own)
    assert own.log.count("Inkloop is ready") == 2
    assert own.log.count("password  ") == 1
    own.kill()
