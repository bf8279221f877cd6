"""Where the processes of one web server count together: a folder in memory, one for each server.

prometheus_client keeps a small mapped file a process there and adds them up when it is asked. The
folder must be named before that library is imported, and must not lie on a disk that can be full:
a write to a mapped page without room behind it kills the process.
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
    """A folder for this server, and an end to those of servers that were killed."""
    above = Path(parent or tempfile.gettempdir())
    for left in above.glob(f"{PREFIX}*"):
        owner = re.match(rf"{PREFIX}(\d+)-", left.name)
        if owner and not psutil.pid_exists(int(owner[1])):
            shutil.rmtree(left, ignore_errors=True)
    os.environ[VARIABLE] = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=above)


def remove_folder() -> None:
    if folder := os.environ.pop(VARIABLE, ""):
        shutil.rmtree(folder, ignore_errors=True)


def forget(pid: int) -> None:
    """What an ended process served is no longer served; what it counted stays counted."""
    folder = os.environ.get(VARIABLE, "")
    for left in Path(folder).glob(f"gauge_live*_{pid}.db") if folder else ():
        with contextlib.suppress(FileNotFoundError):
            left.unlink()
