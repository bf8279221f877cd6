"""Back up the database into one consistent, verified file while people work.

PostgreSQL is copied table by table in one read-only REPEATABLE READ transaction: all tables are of
the same moment, and no writer waits. Each table has a digest, so `restore` can prove that the rows
are equal. SQLite is copied by its online backup in one step, so that no write restarts the copy.

Sessions are left out, so that a backup signs nobody in. So are django-q2's tables: they hold
pickles, which can run code when they are loaded. A backup has the times of schedules, but not
the functions they call.
"""

from __future__ import annotations

import logging
import shutil
import socket
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg2
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from predictions.database import clock
from predictions.serving.registry import altered
from training.backup.archive import Archive, Manifest, Writer, summary, write
from training.errors import BackupFailed, BackupRefused
from training.models import Backup
from training.workers.schedules import RHYTHM

logger = logging.getLogger(__name__)

# The copies bypass Django, so these are the drivers' own errors.
DATABASE_FAILS = (DatabaseError, psycopg2.Error, sqlite3.Error)
LEFT_OUT = {"django_session", "django_q_ormq", "django_q_schedule", "django_q_task"}
SQLITE_PART = "database.sqlite3"
TABLE_PART = "tables/{}.copy"
SCRATCH = ".inkloop-backup-"
BROKEN_OFF = 24 * 3600.0  # seconds after which unfinished files are deleted
PREFIX, SUFFIX = "inkloop-", ".backup"
# Makes equal rows equal bytes on every server.
PLAIN = (
    "SET TIME ZONE 'UTC'; SET DateStyle TO ISO; SET IntervalStyle TO postgres;"
    " SET bytea_output TO hex; SET extra_float_digits TO 1; SET client_encoding TO 'UTF8'"
)

Progress = Callable[[str], object]


def make(path: Path, *, progress: Progress = lambda table: None) -> Archive:
    """Write a backup to a new file, and store the result in a Backup row."""
    started_at = clock.now()
    try:
        written = write_archive(path.resolve(), started_at, progress)
    except (BackupFailed, BackupRefused, *DATABASE_FAILS) as failed:
        note(path, started_at, state=Backup.State.FAILED, reason=str(failed))
        raise BackupFailed(f"No backup was made: {failed}") from failed
    note(
        path,
        started_at,
        state=Backup.State.DONE,
        size=written.path.stat().st_size,
        sha256=written.sha256,
        rows=written.manifest.rows,
    )
    logger.info("backup %s made, %s bytes", written.path.name, written.path.stat().st_size)
    if found := altered():
        logger.warning("backup %s has altered weights: %s", written.path.name, ", ".join(found))
    return written


def told(made: Archive) -> dict[str, Any]:
    """The summary of a backup, with versions whose weights are not the registered ones."""
    return {**summary(made), "weights_altered": altered()}


def note(path: Path, started_at: datetime, **fields: Any) -> None:
    Backup.objects.create(
        path=str(path)[:500], host=socket.gethostname()[:100], started_at=started_at, **fields
    )


def write_archive(path: Path, made_at: datetime, progress: Progress) -> Archive:
    manifest = Manifest(
        database=connection.vendor,
        made_at=made_at.isoformat(),
        release=release(),
        migrations=[],
    )
    fill = fill_from_postgresql if connection.vendor == "postgresql" else fill_from_sqlite
    return write(path, manifest, lambda writer: fill(writer, path.parent, progress))


def release() -> str:
    """The version in pyproject.toml."""
    import tomllib

    text = (settings.BASE_DIR / "pyproject.toml").read_text()
    version: str = tomllib.loads(text)["project"]["version"]
    return version


def tables() -> list[str]:
    """The tables that a backup holds, by name."""
    known = connection.introspection.django_table_names(only_existing=True, include_views=False)
    recorder = MigrationRecorder.Migration._meta.db_table
    return sorted({*known, recorder} - LEFT_OUT)


# -- PostgreSQL ----------------------------------------------------------------------------------


@contextmanager
def frozen() -> Iterator[Any]:
    """A cursor in a read-only transaction that sees one moment of the database."""
    with closing(connection.get_new_connection(connection.get_connection_params())) as own:
        own.set_session(isolation_level="REPEATABLE READ", readonly=True, autocommit=False)
        with own.cursor() as cursor:
            cursor.execute(PLAIN)
            yield cursor
        own.rollback()


def fill_from_postgresql(writer: Writer, folder: Path, progress: Progress) -> None:
    manifest = writer.manifest
    names = tables()
    with frozen() as cursor:
        inspect(cursor, manifest)
        for table in names:
            progress(table)
            manifest.columns[table] = columns_of(cursor, table)
            with writer.part(TABLE_PART.format(table)) as file:
                manifest.rows[table] = copy_out(cursor, table, manifest.columns[table], file)


def inspect(cursor: Any, manifest: Manifest) -> None:
    """Put migrations and the times of schedules into the manifest."""
    cursor.execute("SELECT app, name FROM django_migrations ORDER BY id")
    manifest.migrations = [list(row) for row in cursor.fetchall()]
    cursor.execute(f"SELECT name, {', '.join(RHYTHM)} FROM django_q_schedule")  # noqa: S608
    manifest.schedules = {
        name: dict(zip(RHYTHM, when, strict=True)) for name, *when in cursor.fetchall()
    }


def columns_of(cursor: Any, table: str) -> list[str]:
    cursor.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
        " AND table_schema = ANY (current_schemas(false)) ORDER BY ordinal_position",
        [table],
    )
    return [name for (name,) in cursor.fetchall()]


def copy_out(cursor: Any, table: str, columns: list[str], file: Any) -> int:
    """Write the table's rows ordered by primary key; how many. Equal rows give equal bytes."""
    quoted = ", ".join(quote(name) for name in columns)
    rows = f"SELECT {quoted} FROM {quote(table)} ORDER BY {key_of(cursor, table)}"  # noqa: S608
    cursor.copy_expert(f"COPY ({rows}) TO STDOUT", file)
    return int(cursor.rowcount)


def key_of(cursor: Any, table: str) -> str:
    """The columns of the primary key; text is ordered by its bytes, not by the server's locale."""
    cursor.execute(
        "SELECT a.attname, t.typcategory FROM pg_index i"
        " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)"
        " JOIN pg_type t ON t.oid = a.atttypid"
        " WHERE i.indrelid = %s::regclass AND i.indisprimary ORDER BY a.attnum",
        [quote(table)],
    )
    return ", ".join(
        quote(name) + (' COLLATE "C"' if category == "S" else "")
        for name, category in cursor.fetchall()
    )


def quote(name: str) -> str:
    """Quote a name for SQL; Django's quote_name does not quote a name that has quotes."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


# -- SQLite --------------------------------------------------------------------------------------


def fill_from_sqlite(writer: Writer, folder: Path, progress: Progress) -> None:
    progress("the database")
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=folder) as scratch:
        copy = Path(scratch) / SQLITE_PART
        copy_online(copy)
        with closing(sqlite3.connect(copy)) as taken:
            inspect_copy(taken, writer.manifest)
        with writer.part(SQLITE_PART) as file, copy.open("rb") as content:
            shutil.copyfileobj(content, file, 1 << 20)


def copy_online(copy: Path) -> None:
    with (
        closing(sqlite3.connect(settings.DATABASES["default"]["NAME"], timeout=20)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)  # in one step: with several, each write in between restarts it


def inspect_copy(taken: sqlite3.Connection, manifest: Manifest) -> None:
    """Empty the tables in LEFT_OUT, check the copy, and count its rows."""
    inspect(taken.cursor(), manifest)
    leave_out(taken)
    (said,) = taken.execute("PRAGMA quick_check(1)").fetchone()
    if said != "ok":
        raise BackupFailed(f"the database is damaged: {said}")
    manifest.rows = counted(taken)


def leave_out(copy: sqlite3.Connection) -> None:
    """Empty the tables that no backup holds, and overwrite their content in the file."""
    copy.execute("PRAGMA journal_mode = DELETE")
    copy.execute("PRAGMA secure_delete = ON")
    for table in LEFT_OUT:
        copy.execute(f"DELETE FROM {quote(table)}")  # noqa: S608  (a name of ours)
    copy.commit()


def counted(taken: sqlite3.Connection) -> dict[str, int]:
    return {
        table: taken.execute(f"SELECT COUNT(*) FROM {quote(table)}").fetchone()[0]  # noqa: S608
        for table in tables()
    }


# -- nightly -------------------------------------------------------------------------------------


def nightly() -> Archive | None:
    """Make a backup in BACKUP_DIR and delete old ones; None if BACKUP_DIR is not set."""
    folder = settings.BACKUP_DIR
    if folder is None:
        return None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as refused:
        raise BackupFailed(f"BACKUP_DIR {folder} cannot be made: {refused.strerror}.") from refused
    made = make(folder / f"{PREFIX}{timezone.now():%Y%m%dT%H%M%SZ}{SUFFIX}")
    prune(folder)
    return made


def prune(folder: Path) -> list[Path]:
    """Delete all backups but the newest BACKUP_KEEP, and old unfinished files."""
    left = [*folder.glob(f".{PREFIX}*.partial"), *folder.glob(f"{SCRATCH}*")]
    for path in left:
        if time.time() - path.stat().st_mtime > BROKEN_OFF:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    old = sorted(folder.glob(f"{PREFIX}*{SUFFIX}"))[: -settings.BACKUP_KEEP]
    for path in old:
        path.unlink()
        logger.info("backup %s deleted: %s newer ones are kept", path.name, settings.BACKUP_KEEP)
    return old
