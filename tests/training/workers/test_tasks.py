from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from predictions.models import ModelVersion
from tests.training.lessons import labeled
from training import tasks
from training.models import Run
from training.runs import retrain

LOWEST = 19  # Linux knows no lower priority
SAY = "import os; print(os.nice(0), open('/proc/self/autogroup').read().split()[-1])"


@pytest.mark.skipif(not tasks.SESSION_NICE.exists(), reason="this kernel does not group sessions")
def test_a_run_steps_back_behind_other_processes_and_other_sessions():
    ours = tasks.SESSION_NICE.read_text()
    said = subprocess.run(
        [sys.executable, "-c", SAY],
        preexec_fn=tasks.step_back,
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.split()
    own = os.nice(0)  # the tests may step back themselves
    assert said == [str(min(own + tasks.NICE, LOWEST)), str(tasks.NICE)]
    assert tasks.SESSION_NICE.read_text() == ours


class Stopping:
    """Told to stop after so many looks."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def is_set(self) -> bool:
        self.looks -= 1
        return self.looks < 0


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])


def test_a_process_that_works_is_killed_when_the_workers_are_told_to_stop(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(tasks, "LOOK_EVERY", 0.01)
    with sleeper() as process:
        assert tasks.wait_for_exit(process, Stopping(2)) == -signal.SIGKILL


def test_a_process_that_takes_too_long_is_killed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tasks, "LONGEST", 0)
    with sleeper() as process:
        assert tasks.wait_for_exit(process, Stopping(10**9)) == -signal.SIGKILL


def test_a_process_that_ends_is_waited_for():
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]) as process:
        assert tasks.wait_for_exit(process, Stopping(10**9)) == 3


@pytest.mark.django_db
def test_workers_that_stop_begin_no_run(
    live_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
):
    labeled(3)
    run = retrain.ask(trigger=Run.Trigger.COMMAND, least=1)
    monkeypatch.setattr("training.workers.cluster.told_to_stop", Stopping(0))
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **kwargs: 1 / 0)
    assert tasks.train(run.pk) == {"run": run.pk, "state": "queued", "exit": None}


def test_a_run_steps_back_where_sessions_are_not_grouped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    niced: list[int] = []
    monkeypatch.setattr("os.nice", niced.append)
    monkeypatch.setattr(tasks, "SESSION_NICE", tmp_path / "none" / "autogroup")
    tasks.step_back()
    assert niced == [tasks.NICE]
