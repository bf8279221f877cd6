from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from training import tasks

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
    assert said == [str(tasks.NICE)] * 2
    assert tasks.SESSION_NICE.read_text() == ours


def test_a_run_steps_back_where_sessions_are_not_grouped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    niced: list[int] = []
    monkeypatch.setattr("os.nice", niced.append)
    monkeypatch.setattr(tasks, "SESSION_NICE", tmp_path / "none" / "autogroup")
    tasks.step_back()
    assert niced == [tasks.NICE]
