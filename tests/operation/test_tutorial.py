"""docs/tutorial.md, executed word for word in a fresh copy."""

from __future__ import annotations

import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from predictions.serving.registry import BASE
from tests.architecture.repository import committed
from tests.operation.installation import (
    PATIENCE,
    ROOT,
    free_port,
    plain_environment,
    until,
)

pytestmark = [
    pytest.mark.slow, pytest.mark.xdist_group("tutorial"),
    pytest.mark.same_on_any_database,  # it is about the one that needs no setting up
]  # fmt: skip
MOST_MINUTES = 15  # as its title says, of a processor: a busy machine takes as many
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
STARTS = "./run\n"


def blocks() -> list[str]:
    return BLOCK.findall((ROOT / "docs/tutorial.md").read_text())


@dataclass
class Newcomer:
    """Somebody with a fresh copy and two terminals."""

    folder: Path
    environment: dict[str, str]
    port: int
    server: subprocess.Popen[bytes] | None = None

    def serve(self) -> None:
        with (self.folder.parent / "log").open("wb") as log:
            self.server = subprocess.Popen(
                ["./run"], cwd=self.folder, env=self.environment, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        until(lambda: "Inkloop is ready" in self.log, what="Inkloop is ready")

    @property
    def log(self) -> str:
        return (self.folder.parent / "log").read_text()

    def type(self, words: list[str]) -> str:
        """The blocks in one shell, as one types them one after the other; what was printed."""
        script = "".join(words).replace(":8000", f":{self.port}")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=self.folder, env=self.environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    def leave(self) -> None:
        if self.server is not None:
            self.server.send_signal(signal.SIGTERM)
            self.server.wait(PATIENCE)


def cpu_minutes() -> float:
    """Of all programs that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) / 60


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    folder = tmp_path / "inkloop"
    for path in committed():
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    (folder / ".venv").symlink_to(installed())
    port = free_port()
    # Beside other tests two threads of learning would mostly wait for each other.
    environment = plain_environment(tmp_path / "data", PORT=str(port), TRAINING_THREADS="1")
    environment["AUDIT_RATE"] = "0"  # no label is left out by lot
    environment["PYTHONPATH"] = ""
    one = Newcomer(folder, environment, port)
    yield one
    one.leave()


def installed() -> Path:
    """What the newcomer's ./run would make; installing it once more shows nothing new."""
    if sys.prefix == sys.base_prefix:
        pytest.skip("these tests do not run in a virtual environment, as ./run makes one")
    return Path(sys.prefix)


def test_the_tutorial_does_what_it_says_within_its_minutes(
    newcomer: Newcomer, capsys: pytest.CaptureFixture[str]
) -> None:
    start, *rest = blocks()
    assert start == STARTS
    began, used = time.monotonic(), cpu_minutes()
    newcomer.serve()
    assert "password  " in newcomer.log
    said = newcomer.type(rest)
    minutes = (time.monotonic() - began) / 60
    with capsys.disabled():
        print(f"\nThe tutorial took {minutes:.1f} minutes, without the installation.")
    newcomer.leave()
    assert 0 < cpu_minutes() - used < MOST_MINUTES

    first, after = (json.loads(line) for line in re.findall(r"^\{\"id\".*$", said, re.M))
    run = json.loads((newcomer.folder / "run.json").read_text().splitlines()[-1])
    assert (first["digit"], first["model"]) == (5, BASE)
    assert (run["state"], run["verdict"]) == ("done", "more")
    assert (after["digit"], after["model"]) == (6, run["version"])
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
