"""A SQLite database on which all migrations ran: made once for each state of the code, then copied.

The migrations take four seconds of a processor, and a run of all tests makes a dozen databases.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".pytest_cache" / "migrated"
APPS = ["config", "predictions", "labeling", "training", "dashboard"]  # migrations import from all


@cache
def copy() -> Path:
    """The file for this state of the code; whether or not it is there."""
    digest = hashlib.sha256((ROOT / "constraints.txt").read_bytes())
    for file in sorted(path for app in APPS for path in (ROOT / app).rglob("*.py")):
        digest.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    return FOLDER / f"{digest.hexdigest()[:32]}.sqlite3"


def fill(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """A new database begins as the copy; `migrate` then finds nothing left to do."""
    if connection.vendor != "sqlite" or not copy().exists():
        return
    if not connection.introspection.table_names():
        with closing(sqlite3.connect(copy())) as source:
            source.backup(connection.connection)


def keep(connection: BaseDatabaseWrapper) -> None:
    """Copy a database that was just migrated, in the place of older copies."""
    if connection.vendor != "sqlite" or copy().exists():
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = FOLDER / f"{os.getpid()}"  # two processes may be at it
    with closing(sqlite3.connect(made)) as target:
        connection.connection.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")  # one file, whole at any moment
    for old in FOLDER.glob("*.sqlite3"):
        old.unlink(missing_ok=True)
    made.replace(copy())


def prepare(folder: Path, name: str = "inkloop.sqlite3") -> None:
    """Give an installation that is about to be made in this folder its database, migrated."""
    if copy().exists():
        shutil.copyfile(copy(), folder / name)
