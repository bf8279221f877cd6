"""./run serve: what it keeps alive, and what it leaves behind."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.operation.installation import (
    PATIENCE,
    Installation,
    database_url,
    gone,
    until,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("workers")]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Installation]:
    with database_url() as url:
        installation = Installation(tmp_path, url)
        installation.start()
        processes = installation.processes()
        yield installation
        installation.end()
        assert gone(processes)


def complete(installation: Installation) -> list[psutil.Process]:
    """Web master and process, and twice main, guard, worker, monitor, pusher."""
    until(lambda: len(installation.processes()) >= 12, what="all have started")
    return installation.processes()


@pytest.mark.parametrize("victim", ["gunicorn: worker", "gunicorn: master"])
def test_a_killed_web_server_is_back_and_refuses_nobody(
    installation: Installation, victim: str
) -> None:
    killed = until(lambda: installation.named(victim), what="the web server runs")
    old = [process for each in killed for process in (each, *each.children())]
    killed[0].kill()
    until(lambda: gone(old), what="its processes end with it")
    # Callers wait in the socket that ./run holds; nobody is refused.
    assert installation.get("/healthz", timeout=PATIENCE) == 200
    new = installation.named(victim)
    assert new
    assert {process.pid for process in new}.isdisjoint({process.pid for process in old})


def test_a_stopped_or_killed_server_leaves_no_process_and_starts_again_as_it_was(
    own: Installation,
) -> None:
    assert own.log.count("password  ") == 1
    for number in (signal.SIGINT, signal.SIGTERM):
        old = complete(own)
        assert own.kill(number) == 0
        assert gone(old)
        assert own.log.endswith("run: stopped.\n")
        assert "killing the rest" not in own.log
        own.start()
    assert own.starts == 3
    assert own.log.count("password  ") == 1  # the first start alone made an account
    old = complete(own)
    own.kill(signal.SIGKILL)  # of the parent alone: nothing can tell the others to stop
    until(lambda: gone(old), what="nothing is left")
    assert own.get("/healthz", timeout=1) == 0
