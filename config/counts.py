"""The folder in which the processes of one web server share their metrics.

prometheus_client keeps a small memory-mapped file for each process there, and sums them up. The
environment variable must be set before that library is imported. The folder should be in memory:
on a full disk, a write to a mapped page kills the process.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path

import psutil

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's name
PREFIX = "inkloop-counts-"


def make_folder(parent: str | None) -> None:
    """Make a folder for this server; delete those of servers that were killed."""
    above = Path(parent or tempfile.gettempdir())
    for left in above.glob(f"{PREFIX}*"):
        owner = re.match(rf"{PREFIX}(\d+)-", left.name)
        if owner and not psutil.pid_exists(int(owner[1])):
            shutil.rmtree(left, ignore_errors=True)
    os.environ[VARIABLE] = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=above)


def remove_folder() -> None:
    if folder := os.environ.pop(VARIABLE, ""):
        shutil.rmtree(folder, ignore_errors=True)


def forget_process(pid: int) -> None:
    """Remove an ended process's current values ("live" gauges); its counters are kept."""
    folder = os.environ.get(VARIABLE, "")
    for left in Path(folder).glob(f"gauge_live*_{pid}.db") if folder else ():
        with contextlib.suppress(FileNotFoundError):
            left.unlink()
