"""The checker of histories passes a sound server and fails one whose claim is not atomic."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.bench.support.servers import ROOT
from tests.operation.installation import plain_environment

SHORT = ["--labelers", "8", "--seconds", "5", "--kill-every", "3", "--predictions", "800"]


def check(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    argv = [sys.executable, "-m", "tests.bench.history", *SHORT, *database(), *options]
    done = subprocess.run(
        argv, cwd=ROOT, env=plain_environment(folder), capture_output=True, text=True, timeout=600
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


def database() -> list[str]:
    """The server the suite runs on; the checker makes a database of its own there."""
    used = settings.DATABASES["default"]
    if "postgresql" not in used["ENGINE"]:
        return []
    account = f"{used['USER']}:{used['PASSWORD']}@{used['HOST']}:{used['PORT'] or 5432}"
    return ["--database-url", f"postgres://{account}/postgres"]


@pytest.mark.slow
def test_no_label_is_lost_or_doubled_while_web_processes_are_killed(tmp_path: Path):
    code, found = check(tmp_path)
    assert code == 0, found
    assert found["labels"] > 0
    assert found["kills"] >= 1
    assert set(found["violations"].values()) == {0}


@pytest.mark.slow
def test_the_checker_notices_a_claim_that_is_not_atomic(tmp_path: Path):
    code, found = check(tmp_path, "--broken-claim")
    assert code == 1, found
    assert found["violations"]["double leases"] > 0
    assert found["violations"]["acknowledged labels lost"] == 0
