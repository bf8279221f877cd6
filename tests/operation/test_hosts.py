"""Many hosts for real: the story of `./run bench hosts`, told in a minute."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.bench import hosts
from tests.operation.installation import ROOT, database_url

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("hosts")]


def test_hosts_share_nothing_but_the_database_and_lose_nothing() -> None:
    """Three web and two worker hosts; one of each is cut off, then all are restarted in turn."""
    if missing := hosts.refusal():
        pytest.skip(missing)
    with database_url() as url:
        if not url:
            pytest.skip("many hosts need PostgreSQL")
        told = subprocess.run(
            [
                sys.executable, "-m", "tests.bench.hosts", "--database-url", url,
                "--labelers", "8", "--seconds", "40", "--cut-after", "4", "--cut-for", "6",
                "--round", "1", "--predictions", "2000",
            ],
            cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
    figures = json.loads(told.stdout.splitlines()[-1])
    assert figures["labels"] > 50
