"""docs/tutorial.md, executed word for word in a fresh clone."""

from __future__ import annotations

import json
import re
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from predictions.serving.registry import BASE
from tests.operation.installation import ROOT
from tests.operation.newcomer import Newcomer, newcomer_in

pytestmark = [
    pytest.mark.slow, pytest.mark.from_a_clone,
    pytest.mark.same_on_any_database,  # it is about the one that needs no setting up
]  # fmt: skip
MOST_MINUTES = 15  # as its title says, of a processor: a busy machine takes as many
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
STARTS = "./run\n"


def blocks() -> list[str]:
    return BLOCK.findall((ROOT / "docs/tutorial.md").read_text())


def cpu_minutes() -> float:
    """Of all programs that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) / 60


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    with newcomer_in(tmp_path, AUDIT_RATE="0") as one:  # no label is left out by lot
        yield one


def test_the_tutorial_does_what_it_says_within_its_minutes(
    newcomer: Newcomer, tell: Callable[[str], None]
) -> None:
    start, *rest = blocks()
    assert start == STARTS
    began, used = time.monotonic(), cpu_minutes()
    newcomer.serve()
    assert "password  " in newcomer.log
    said = newcomer.type(rest)
    minutes = (time.monotonic() - began) / 60
    tell(f"The tutorial took {minutes:.1f} minutes, without the installation.")
    newcomer.leave()
    assert 0 < cpu_minutes() - used < MOST_MINUTES

    first, after = (json.loads(line) for line in re.findall(r"^\{\"id\".*$", said, re.M))
    run = json.loads((newcomer.folder / "run.json").read_text().splitlines()[-1])
    assert (first["digit"], first["model"]) == (4, BASE)
    assert (run["state"], run["verdict"]) == ("done", "more")
    assert (after["digit"], after["model"]) == (5, run["version"])
    read = re.findall(r"^docs/tutorial/(\d)-\d+\.png +(\d)  ", said, re.M)
    assert len(read) == 60
    assert sum(meant != digit for meant, digit in read) > 20
    assert (
        len(re.findall(r"^docs/tutorial(?:-later)?/\S+ is \d and was read as \d$", said, re.M))
        == 96
    )
    assert "labels would be learned from" in said
    assert "Verdict: promote" in said
    assert f"{BASE} is live again; {run['version']} was taken back." in said
