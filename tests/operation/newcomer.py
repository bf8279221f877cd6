"""Somebody who has just cloned the repository: a copy, a terminal, and the first `./run`."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.architecture.repository import committed
from tests.operation.installation import PATIENCE, ROOT, free_port, plain_environment, until
from training.engine.mnist import FOLDER_VARIABLE

READY = "Inkloop is ready"


@dataclass
class Newcomer:
    """Their clone and its server, started as the README says and with its settings as they are."""

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
        until(lambda: READY in self.log or not self.is_serving(), what=READY)
        assert READY in self.log, self.log

    def is_serving(self) -> bool:
        return self.server is not None and self.server.poll() is None

    @property
    def log(self) -> str:
        return (self.folder.parent / "log").read_text()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def sign_in_path(self) -> str:
        """Of the link that ./run prints for the person at this machine."""
        (found,) = re.findall(rf"signs you in.*\n\n +{re.escape(self.address)}(/\S+)\n", self.log)
        return str(found)

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


@contextlib.contextmanager
def newcomer_in(folder: Path, **settings: str) -> Iterator[Newcomer]:
    clone = folder / "inkloop"
    clone_to(clone)
    (clone / ".venv").symlink_to(installed())
    port = free_port()
    environment = plain_environment(clone / "data", PORT=str(port), PYTHONPATH="", **settings)
    if mnist := os.environ.get(FOLDER_VARIABLE):  # where there is no network to fetch it
        environment[FOLDER_VARIABLE] = mnist
    one = Newcomer(clone, environment, port)
    try:
        yield one
    finally:
        one.leave()


def clone_to(clone: Path) -> None:
    """What `git clone` gives, and what would be committed here since."""
    trust = clone.parent / "gitconfig"
    trust.write_text("[safe]\n\tdirectory = *\n")  # the checkout may be somebody else's
    subprocess.run(
        ["git", "clone", "--quiet", ROOT, clone],
        env={**os.environ, "GIT_CONFIG_GLOBAL": str(trust)}, check=True,
    )  # fmt: skip
    for path in committed():
        copy = clone / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)


def installed() -> Path:
    """What the newcomer's ./run would make, and CI's has made in its own clone.

    Installing all packages again shows nothing new: a minute with pip's cache, more without.
    """
    if sys.prefix == sys.base_prefix:
        pytest.skip("these tests do not run in a virtual environment, as ./run makes one")
    return Path(sys.prefix)
