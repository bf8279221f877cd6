"""An installation of its own to break: data folder, database, web server and workers."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg2
from django.conf import settings

from tests import migrated

ROOT = Path(__file__).resolve().parents[2]
# ./run as it is, with this Python in the place of the virtual environment it would make.
DRIVER = """
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
sys.dont_write_bytecode = True
loader = SourceFileLoader("run", "run")
run = module_from_spec(spec_from_loader("run", loader))
sys.modules["run"] = run
loader.exec_module(run)
run.PYTHON = Path(sys.executable)
run.install = lambda *requirements: None
run.STOP_WITHIN = 25.0  # seconds: a busy machine is no reason to kill what ends by itself
try:
    sys.exit(run.main(sys.argv[1:]))
except run.Refusal as refusal:
    sys.exit(f"run: {refusal}")
"""


PATIENCE = 600.0  # seconds until it is given up; no claim about how fast anything has to be


def until(claim: Callable[[], Any], *, what: str) -> Any:
    """What the claim says once it says something true; fails when it never does."""
    deadline = time.monotonic() + PATIENCE
    while not (said := claim()):
        assert time.monotonic() < deadline, f"not within {PATIENCE:.0f} s: {what}"
        time.sleep(0.05)
    return said


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def plain_environment(folder: Path, **extra: str) -> dict[str, str]:
    """Without what configures the installation the tests run in; nothing is drawn by lot."""
    text = (ROOT / "config/settings.py").read_text() + (ROOT / "config/env.py").read_text()
    ours = {*re.findall(r'"([A-Z][A-Z_]+)"', text), "Q_CLUSTER_NAME", "PORT"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    lots = dict.fromkeys(["AUDIT_RATE", "GOLD_RATE", "SECOND_OPINION_RATE"], "0")
    return {**kept, **lots, "DATA_DIR": str(folder), "PYTHONWARNINGS": "ignore", **extra}


@contextlib.contextmanager
def database_url() -> Iterator[str]:
    """A PostgreSQL database to throw away when the suite runs on PostgreSQL; empty on SQLite."""
    default = settings.DATABASES["default"]
    if "postgresql" not in default["ENGINE"]:
        yield ""
        return
    server = f"postgres://{default['USER']}:{default['PASSWORD']}@{default['HOST']}"
    with migrated.fresh_postgresql(f"{server}:{default['PORT'] or 5432}/postgres") as url:
        yield url


@dataclass
class Installation:
    """./run serve in a folder of its own."""

    folder: Path
    database_url: str = ""
    port: int = field(default_factory=free_port)
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        file = self.folder / "log"
        return file.read_text() if file.exists() else ""

    @property
    def starts(self) -> int:
        return self.log.count("Inkloop is ready")

    @property
    def environment(self) -> dict[str, str]:
        extra = {"DATABASE_URL": self.database_url} if self.database_url else {}
        extra |= self.settings
        return plain_environment(self.folder, DEBUG="true", PORT=str(self.port), **extra)

    def start(self) -> None:
        starts = self.starts
        if not self.database_url and not starts:
            migrated.prepare(self.folder)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", DRIVER, "serve"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(lambda: self.starts > starts, what="the server is ready")

    def kill(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def processes(self) -> list[psutil.Process]:
        """What it started, and what that started."""
        assert self.process is not None
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def named(self, start: str, *, end: str = "") -> list[psutil.Process]:
        """Its processes by their titles; one that ends while we look is not there."""
        return [
            process
            for process in self.processes()
            if (title := title_of(process)).startswith(start) and title.endswith(end)
        ]

    def get(self, path: str, timeout: float = 5.0) -> int:
        address = f"http://127.0.0.1:{self.port}{path}"
        try:
            with urllib.request.urlopen(address, timeout=timeout) as response:
                return int(response.status)
        except OSError:
            return 0

    def worked_at(self, cluster: str) -> Any:
        row = self.row(f"SELECT worked_at FROM predictions_workerbeat WHERE cluster = '{cluster}'")
        return row and row[0]

    def row(self, asked: str) -> Any:
        """The first row of what its database answers."""
        if self.database_url:
            connection: Any = psycopg2.connect(self.database_url)
        else:
            connection = sqlite3.connect(self.folder / "inkloop.sqlite3", timeout=20)
        with contextlib.closing(connection), contextlib.closing(connection.cursor()) as cursor:
            cursor.execute(asked)
            return cursor.fetchone()


def title_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()).strip()
    except psutil.NoSuchProcess:
        return ""


def gone(processes: list[psutil.Process]) -> bool:
    return not any(is_alive(process) for process in processes)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
