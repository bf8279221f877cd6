"""Restore a backup, by default only into an empty database, and check the result.

The file is verified before anything changes. Tables that backups leave out now are not restored
from an older file either: no session and no job of django-q2. Afterwards the tables are digested or
counted again, the weights of every version are compared with their digests, and the labels with
their events. Stop web servers and workers first: what they write meanwhile is lost.
"""

from __future__ import annotations

import logging
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from labeling.batches.rebuild import rebuild_labels
from predictions.serving.registry import altered
from training.backup.archive import AT_ONCE, Archive, Digesting, Part, verified
from training.backup.backup import (
    DATABASE_FAILS,
    LEFT_OUT,
    PLAIN,
    SQLITE_PART,
    TABLE_PART,
    copy_out,
    counted,
    leave_out,
    quote,
    tables,
)
from training.errors import BackupRefused
from training.models import Run
from training.runs.retrain import ring
from training.workers.schedules import make_schedules

logger = logging.getLogger(__name__)

# A database with a row in one of these counts as in use.
OF_VALUE = ["auth_user", "predictions_prediction", "predictions_modelversion"]
WAIT_FOR_OTHERS = 10  # seconds
Progress = Callable[[str], object]


@dataclass(slots=True)
class Restored:
    """The restored database, and how it differs from the backup."""

    archive: Archive
    rows: dict[str, int]
    differing: list[str] = field(default_factory=list)  # tables that differ from the backup
    weights: list[str] = field(default_factory=list)  # versions with other weights
    labels: int = 0  # labels and queue items unlike their events

    @property
    def is_equal(self) -> bool:
        return not (self.differing or self.weights or self.labels)


def restore(
    path: Path,
    *,
    force: bool = False,
    trusted: bool = False,
    sha256: str = "",
    progress: Progress = lambda step: None,
) -> Restored:
    """Replace the database by the backup.

    A damaged file is refused. A file not sealed with our secret needs `trusted`, and a database in
    use needs `force`.
    """
    progress("reading the file")
    archive = verified_or_refused(path, sha256, trusted=trusted)
    check_fits(archive)
    if not force and (found := rows_of_value()):
        raise BackupRefused(
            f"The database is not empty: {found}. --force replaces all that is in it."
        )
    bring_back = into_postgresql if connection.vendor == "postgresql" else into_sqlite
    try:
        differing = bring_back(archive, progress)
    except DATABASE_FAILS as refused:
        raise BackupRefused(
            f"The database did not take it: {refused} Is the web server or a worker running? "
            "Stop them and restore again with --force."
        ) from refused
    progress("bringing the tables up to date")
    call_command("migrate", interactive=False, verbosity=0)
    make_jobs(archive)
    restored = Restored(archive, dict(archive.manifest.rows), differing)
    progress("comparing weights with their digests and labels with their events")
    restored.weights = altered()
    restored.labels = len(rebuild_labels(mend=False))
    logger.warning("the database was restored from %s", path.name)
    return restored


def verified_or_refused(path: Path, sha256: str, *, trusted: bool) -> Archive:
    if not path.is_file():
        raise BackupRefused(f"There is no file {path}.")
    archive = verified(path.resolve(), trusted=trusted)
    if sha256 and archive.sha256 != sha256.lower():
        raise BackupRefused(f"{path.name} is whole, but not the one that was meant: {sha256[:12]}…")
    for table in LEFT_OUT:  # an older backup has them
        archive.manifest.rows.pop(table, None)
        archive.manifest.columns.pop(table, None)
    return archive


def check_fits(archive: Archive) -> None:
    manifest = archive.manifest
    if manifest.database != connection.vendor:
        raise BackupRefused(
            f"{archive.path.name} was taken from {manifest.database}, and DATABASE_URL names "
            f"{connection.vendor}."
        )
    known = set(MigrationExecutor(connection).loader.graph.nodes)
    ours = {config.label for config in apps.get_app_configs()}
    unknown = [
        f"{app} {name}"
        for app, name in manifest.migrations
        if app in ours and (app, name) not in known
    ]
    if unknown:
        raise BackupRefused(
            f"{archive.path.name} was made by another release (it has {unknown[0]}). Restore it "
            f"with release {manifest.release} or a later one that knows it."
        )


def rows_of_value() -> str:
    """Why the database counts as in use, or an empty text."""
    there = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        for table in OF_VALUE:
            if table in there:
                cursor.execute(f"SELECT COUNT(*) FROM {quote(table)}")  # noqa: S608
                if count := cursor.fetchone()[0]:
                    return f"{table} has {count:,} rows"
    return ""


# -- PostgreSQL ----------------------------------------------------------------------------------


def into_postgresql(archive: Archive, progress: Progress) -> list[str]:
    """Migrate to the backup's state, then fill and compare the tables in one transaction."""
    progress("making the tables")
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout TO '{WAIT_FOR_OTHERS}s'")
        gone = [table for table in (*tables(), *LEFT_OUT) if exists(cursor, table)]
        if gone:
            cursor.execute(f"DROP TABLE {', '.join(map(quote, gone))} CASCADE")
    executor = MigrationExecutor(connection)
    executor.migrate([(app, name) for app, name in archive.manifest.migrations])
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(PLAIN)
        cursor.execute(f"TRUNCATE {', '.join(map(quote, tables()))}")
        parts = {part.name: part for part in archive.manifest.parts}
        differing = []
        for table, columns in archive.manifest.columns.items():
            progress(table)
            name = TABLE_PART.format(table)
            copy_in(cursor, table, columns, archive, name)
            if not is_same(cursor, table, columns, parts[name]):
                differing.append(table)
        set_sequences(cursor)
    connection.close()  # and its session settings
    return differing


def exists(cursor: Any, table: str) -> bool:
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [quote(table)])
    return bool(cursor.fetchone()[0])


def copy_in(cursor: Any, table: str, columns: list[str], archive: Archive, name: str) -> None:
    quoted = ", ".join(map(quote, columns))
    with archive.part(name) as file:
        cursor.copy_expert(f"COPY {quote(table)} ({quoted}) FROM STDIN", file)


def is_same(cursor: Any, table: str, columns: list[str], part: Part) -> bool:
    read_back = Digesting(Nowhere())
    copy_out(cursor, table, columns, read_back)
    return read_back.digest.hexdigest() == part.sha256


class Nowhere:
    """A file that discards what is written."""

    def write(self, content: bytes) -> int:
        return len(content)


def set_sequences(cursor: Any) -> None:
    """Set the sequences behind the restored keys."""
    cursor.execute(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = ANY (current_schemas(false)) AND is_identity = 'YES'"
    )
    for table, column in cursor.fetchall():
        cursor.execute(
            f"SELECT setval(pg_get_serial_sequence(%s, %s), MAX({quote(column)}))"  # noqa: S608
            f" FROM {quote(table)} HAVING MAX({quote(column)}) IS NOT NULL",
            [quote(table), column],
        )


# -- SQLite --------------------------------------------------------------------------------------


def into_sqlite(archive: Archive, progress: Progress) -> list[str]:
    """Copy with SQLite's backup in one transaction: readers see the old or the new database."""
    progress("the database")
    target = Path(settings.DATABASES["default"]["NAME"])
    connection.close()
    with tempfile.TemporaryDirectory(prefix=".inkloop-restore-", dir=target.parent) as scratch:
        copy = Path(scratch) / SQLITE_PART
        with archive.part(SQLITE_PART) as content, copy.open("wb") as file:
            while block := content.read(AT_ONCE):
                file.write(block)
        with (
            closing(sqlite3.connect(copy)) as source,
            closing(sqlite3.connect(target, timeout=WAIT_FOR_OTHERS)) as live,
        ):
            check_schema(source)
            leave_out(source)
            source.backup(live)
    with closing(sqlite3.connect(target)) as live:
        now = counted(live)
    return [table for table, rows in archive.manifest.rows.items() if now.get(table) != rows]


def check_schema(copy: sqlite3.Connection) -> None:
    """Refuse triggers and views, which could run statements later: our databases have none."""
    found = copy.execute("SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')")
    if row := found.fetchone():
        raise BackupRefused(f"The database in the file has a {row[0]}, {row[1]}; ours has none.")


# -- both ----------------------------------------------------------------------------------------


def make_jobs(archive: Archive) -> None:
    """Create schedules with the backup's times, and a job for each queued run."""
    make_schedules(archive.manifest.schedules)
    for run in Run.objects.filter(state=Run.State.QUEUED).only("pk"):
        ring(run)
