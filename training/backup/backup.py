"""Back up the database into one consistent, verified file while people work.

All tables are read in one transaction that sees one moment of the database, and no writer waits.
Each table has a digest, so `restore` can prove that the rows are equal, in either database.
"""

from __future__ import annotations

import logging
import socket
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from predictions.database import clock
from predictions.serving.registry import altered
from training.backup.archive import Manifest, VerifiedArchive, summary, write_archive
from training.backup.rows import column_types, last_keys, read_lines, tables
from training.errors import BackupFailed, BackupRefused
from training.models import Backup
from training.workers.schedules import RHYTHM

logger = logging.getLogger(__name__)

BROKEN_OFF = 24 * 3600.0  # seconds after which unfinished files are deleted
PREFIX, SUFFIX = "inkloop-", ".backup"
# DEFERRED, unlike our other transactions of SQLite, lets others write.
BEGIN = {
    "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
    " SET LOCAL extra_float_digits TO 1",  # all digits
    "sqlite": "BEGIN DEFERRED",
}

Progress = Callable[[str], object]


def make(path: Path, *, progress: Progress = lambda table: None) -> VerifiedArchive:
    """Write a backup to a new file, and store the result in a Backup row."""
    started_at = clock.now()
    manifest = Manifest(connection.vendor, started_at.isoformat(), release(), migrations=[])
    try:
        written = write_archive(path.resolve(), manifest, table_contents(manifest, progress))
    except (BackupFailed, BackupRefused, DatabaseError) as failed:
        record_backup(path, started_at, state=Backup.State.FAILED, reason=str(failed))
        raise BackupFailed(f"No backup was made: {failed}") from failed
    record_backup(
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


def told(made: VerifiedArchive) -> dict[str, Any]:
    """The summary of a backup, with versions whose weights are not the registered ones."""
    return {**summary(made), "weights_altered": altered()}


def record_backup(path: Path, started_at: datetime, **fields: Any) -> None:
    Backup.objects.create(
        path=str(path)[:500], host=socket.gethostname()[:100], started_at=started_at, **fields
    )


def release() -> str:
    """The version in pyproject.toml."""
    text = (settings.BASE_DIR / "pyproject.toml").read_text()
    version: str = tomllib.loads(text)["project"]["version"]
    return version


def table_contents(manifest: Manifest, progress: Progress) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Each table and its lines, all of one moment; completes the manifest."""
    with frozen() as database:
        inspect(database, manifest)
        for table in tables():
            progress(table)
            types = column_types(database, table)
            manifest.columns[table] = list(types)
            yield table, read_lines(database, table, types)
        manifest.last_keys = last_keys(database)


@contextmanager
def frozen() -> Iterator[BaseDatabaseWrapper]:
    """A connection of its own, in a transaction that sees one moment of the database."""
    own = connection.copy()
    try:
        with own.cursor() as cursor:
            cursor.execute(BEGIN[own.vendor])
        yield own
    finally:
        own.close()


def inspect(database: BaseDatabaseWrapper, manifest: Manifest) -> None:
    """Check SQLite's file, and put migrations and the times of schedules into the manifest."""
    with database.cursor() as cursor:
        if database.vendor == "sqlite":
            cursor.execute("PRAGMA quick_check(1)")
            if (said := cursor.fetchone()[0]) != "ok":
                raise BackupFailed(f"the database is damaged: {said}")
        cursor.execute("SELECT app, name FROM django_migrations ORDER BY id")
        manifest.migrations = [list(row) for row in cursor.fetchall()]
        cursor.execute(f"SELECT name, {', '.join(RHYTHM)} FROM django_q_schedule")  # noqa: S608
        manifest.schedules = {
            name: dict(zip(RHYTHM, when, strict=True)) for name, *when in cursor.fetchall()
        }


# -- nightly -------------------------------------------------------------------------------------


def nightly() -> VerifiedArchive | None:
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
    for path in folder.glob(f".{PREFIX}*.partial"):
        if time.time() - path.stat().st_mtime > BROKEN_OFF:
            path.unlink()
    old = sorted(folder.glob(f"{PREFIX}*{SUFFIX}"))[: -settings.BACKUP_KEEP]
    for path in old:
        path.unlink()
        logger.info("backup %s deleted: %s newer ones are kept", path.name, settings.BACKUP_KEEP)
    return old
