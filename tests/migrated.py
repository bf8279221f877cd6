"""A SQLite database on which all migrations ran: made once for each state of them, then copied.

The migrations take four seconds of a processor, and a run of all tests makes a dozen databases.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".pytest_cache" / "migrated"
NAME = "inkloop.sqlite3"  # in an installation's folder
OURS = re.compile(r"^(?:from|import) ((?:predictions|labeling|training|dashboard)\.[\w.]+)", re.M)


def sources() -> Iterator[Path]:
    """The migrations and what they import, as far as it is ours, and the versions of the rest."""
    migrations = sorted(ROOT.glob("*/migrations/*.py"))
    imported = {name for file in migrations for name in OURS.findall(file.read_text())}
    modules = (ROOT / name.replace(".", "/") for name in sorted(imported))
    yield from migrations
    yield from (module.with_suffix(".py") for module in modules if not module.is_dir())
    yield ROOT / "constraints.txt"


def name_of_copy() -> str:
    digest = hashlib.sha256()
    for file in sources():
        digest.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    return f"{digest.hexdigest()[:32]}.sqlite3"


def copy() -> Path:
    """The migrated database. Of processes that ask at once, one makes it and the others wait."""
    file = FOLDER / name_of_copy()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            for old in FOLDER.glob("*.sqlite3"):
                old.unlink()
            migrate_into(file)
    return file


def migrate_into(file: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="inkloop-migrated-") as folder:
        environment = {**os.environ, "DATA_DIR": folder, "DATABASE_URL": ""}
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        with closing(sqlite3.connect(Path(folder) / NAME)) as made:
            made.execute("PRAGMA journal_mode=DELETE")  # one file
        shutil.move(Path(folder) / NAME, file)


def fill(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """A new database begins as the copy; `migrate` then finds nothing left to do."""
    if connection.vendor == "sqlite" and not connection.introspection.table_names():
        with closing(sqlite3.connect(copy())) as source:
            source.backup(connection.connection)


def prepare(folder: Path, name: str = NAME) -> None:
    """Give an installation that is about to be made in this folder its database, migrated."""
    shutil.copyfile(copy(), folder / name)
