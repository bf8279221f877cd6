"""Databases on which all migrations ran: made once, then copied.

The migrations take four seconds of a processor, and a run of all tests makes a dozen databases.
For SQLite a file is kept for each state of the migrations; for PostgreSQL `./run test` makes a
template, and removes it in the end.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
from django.db.backends.base.base import BaseDatabaseWrapper

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".pytest_cache" / "migrated"
NAME = "inkloop.sqlite3"  # in an installation's folder
TEMPLATE = "TEST_TEMPLATE"  # the variable with the name of PostgreSQL's template
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
        assert migrate({"DATA_DIR": folder, "DATABASE_URL": ""})
        with closing(sqlite3.connect(Path(folder) / NAME)) as made:
            made.execute("PRAGMA journal_mode=DELETE")  # one file
        shutil.move(Path(folder) / NAME, file)


def migrate(settings: dict[str, str]) -> bool:
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **settings}, check=False)
    return done.returncode == 0


def fill(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """A new database begins as the copy; `migrate` then finds nothing left to do."""
    if connection.vendor == "sqlite" and not connection.introspection.table_names():
        with closing(sqlite3.connect(copy())) as source:
            source.backup(connection.connection)


def prepare(folder: Path, name: str = NAME) -> None:
    """Give an installation that is about to be made in this folder its database, migrated."""
    shutil.copyfile(copy(), folder / name)


@contextlib.contextmanager
def fresh_postgresql(url: str) -> Iterator[str]:
    """A database beside the one that was named, which is never touched; gone at the end."""
    name = f"inkloop_{secrets.token_hex(6)}"
    template = os.environ.get(TEMPLATE)
    server = psycopg2.connect(url)
    server.autocommit = True
    try:
        with server.cursor() as cursor:
            cursor.execute(
                f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else "")
            )
            try:
                yield urlsplit(url)._replace(path=f"/{name}").geturl()
            finally:
                cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        server.close()


@contextlib.contextmanager
def postgresql_template(url: str) -> Iterator[dict[str, str]]:
    """What makes tests copy a migrated database of this server, as variables for them.

    Where the migrations fail there is nothing to copy: the tests migrate, and say why they cannot.
    """
    with fresh_postgresql(url) as made, tempfile.TemporaryDirectory() as folder:
        is_migrated = migrate({"DATABASE_URL": made, "DATA_DIR": folder})
        yield {TEMPLATE: urlsplit(made).path.removeprefix("/")} if is_migrated else {}
