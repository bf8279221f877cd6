"""Restore a backup, by default only into an empty database, and check the result.

The file is verified before anything changes. One transaction replaces the whole database: others
see the old or the new one. The tables are made as they were, filled, digested again, and brought up
to date; then weights are compared with their digests and labels with their events. Stop web servers
and workers first: what they write meanwhile is lost.
"""

from __future__ import annotations

import logging
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from shutil import copyfileobj

import psycopg2
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Model
from django.db.utils import ConnectionHandler

from labeling.batches.rebuild import rebuild_labels
from predictions.models import ModelVersion, Prediction
from predictions.serving.registry import altered
from training.backup import rows
from training.backup.archive import FORMAT, TABLE_PART, Manifest, VerifiedArchive, verified
from training.backup.backup import Progress
from training.errors import BackupRefused
from training.models import Run
from training.runs.retrain import enqueue_run
from training.workers.schedules import make_schedules

logger = logging.getLogger(__name__)

# Rows are written without Django, so these are the drivers' own errors.
DATABASE_FAILS = (DatabaseError, psycopg2.Error, sqlite3.Error)
OLD_SQLITE_PART = "database.sqlite3"  # all of formats 1 and 2
OLD_POSTGRESQL_PART = "tables/{}.copy"


@dataclass(frozen=True, slots=True)
class Restored:
    """The restored database, and how it differs from the backup."""

    archive: VerifiedArchive
    differing: list[str]  # tables that differ from the backup
    weights: list[str]  # versions with other weights
    labels: int  # labels and queue items unlike their events

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
    try:
        differing = replace_database(archive, progress)
    except DATABASE_FAILS as refused:
        raise BackupRefused(
            f"The database did not take it, and is as it was: {refused} Is the web server or a "
            "worker running? Stop them and restore again."
        ) from refused
    logger.warning("the database was restored from %s", path.name)
    progress("comparing weights with their digests and labels with their events")
    return Restored(archive, differing, altered(), len(rebuild_labels(mend=False)))


def verified_or_refused(path: Path, sha256: str, *, trusted: bool) -> VerifiedArchive:
    if not path.is_file():
        raise BackupRefused(f"There is no file {path}.")
    archive = verified(path.resolve(), trusted=trusted)
    if sha256 and archive.sha256 != sha256.lower():
        raise BackupRefused(f"{path.name} is whole, but not the one that was meant: {sha256[:12]}…")
    for table in rows.LEFT_OUT:  # an older backup has them
        archive.manifest.rows.pop(table, None)
    return archive


def check_fits(archive: VerifiedArchive) -> None:
    manifest = archive.manifest
    if manifest.format < FORMAT and manifest.database == "postgresql" != connection.vendor:
        raise BackupRefused(
            f"{archive.path.name} was made by an older release on PostgreSQL, and DATABASE_URL "
            "names SQLite. Restore it on PostgreSQL: a backup made there now restores into either."
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
    there = connection.introspection.table_names()
    counts = {
        each._meta.db_table: each._default_manager.count()
        for each in (User, Prediction, ModelVersion)
        if each._meta.db_table in there
    }
    return next((f"{table} has {count:,} rows" for table, count in counts.items() if count), "")


def replace_database(archive: VerifiedArchive, progress: Progress) -> list[str]:
    """Replace all tables in one transaction; which of them differ from the backup."""
    with connection.constraint_checks_disabled(), transaction.atomic():
        progress("making the tables")
        drop_tables({*rows.tables(), *rows.LEFT_OUT, *archive.manifest.rows})
        make_tables([(app, name) for app, name in archive.manifest.migrations])
        differing = fill_tables(archive, progress)
        connection.check_constraints()
        progress("bringing the tables up to date")
        migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())
        call_command("migrate", interactive=False, verbosity=0)  # permissions and content types
        make_jobs(archive.manifest)
    return differing


def drop_tables(names: set[str]) -> None:
    with connection.schema_editor() as editor:
        if connection.vendor == "postgresql":  # SQLite's timeout is in the settings
            editor.execute("SET LOCAL lock_timeout TO '10s'")
        for name in names & {*connection.introspection.table_names()}:
            editor.execute(editor.sql_delete_table % {"table": rows.quote(name)})


def make_tables(migrations: list[tuple[str, str]]) -> None:
    """Make the tables as these migrations do."""
    loader = MigrationExecutor(connection).loader
    known = loader.graph.nodes.keys()
    if known - set(migrations):
        migrate([each for each in migrations if each in known])
        return
    made = loader.project_state().apps.get_models()
    models: list[type[Model]] = [MigrationRecorder(connection).Migration, *made]
    with connection.schema_editor() as editor:  # a tenth of the time
        for model in models:
            if model._meta.can_migrate(connection):
                editor.create_model(model)


def migrate(to: list[tuple[str, str]]) -> None:
    def settle(action: str, *rest: object) -> None:
        if action == "apply_success":  # with checks that wait, no table can be changed
            connection.check_constraints()

    MigrationExecutor(connection, settle).migrate(to)


def fill_tables(archive: VerifiedArchive, progress: Progress) -> list[str]:
    """Replace the rows that migrations wrote; which tables differ from the backup."""
    manifest = archive.manifest
    differing = []
    with connection.cursor() as cursor, old_sqlite(archive) as old:
        for table in rows.tables():
            cursor.execute(f"DELETE FROM {rows.quote(table)}")  # noqa: S608
        for table in manifest.rows:
            progress(table)
            there, expected = rows.column_types(connection, table), None
            types = {name: there.get(name, "") for name in manifest.columns[table]}
            if old:
                rows.write_lines(table, types, rows.read_lines(old, table, types))
                expected = rows.digest_of_table(old, table, types)
            elif manifest.format < FORMAT:
                with archive.part(OLD_POSTGRESQL_PART.format(table)) as file:
                    rows.copy_in(table, types, file)
                if types.get("id", "").endswith("AutoField"):
                    cursor.execute(f"SELECT MAX(id) FROM {rows.quote(table)}")  # noqa: S608
                    manifest.last_keys[table] = cursor.fetchone()[0]
            else:
                expected = manifest.parts[TABLE_PART.format(table)]
                with archive.part(TABLE_PART.format(table)) as file:
                    rows.write_lines(table, types, TextIOWrapper(file, newline="\n"))
            if expected and rows.digest_of_table(connection, table, types) != expected:
                differing.append(table)
        rows.set_last_keys(manifest.last_keys)
    return differing


@contextmanager
def old_sqlite(archive: VerifiedArchive) -> Iterator[BaseDatabaseWrapper | None]:
    """SQLite's file from a backup of an older release, opened; None if there is none."""
    manifest = archive.manifest
    if OLD_SQLITE_PART not in manifest.parts:
        yield None
        return
    with tempfile.NamedTemporaryFile() as copy, archive.part(OLD_SQLITE_PART) as content:
        copyfileobj(content, copy)
        copy.flush()
        backend = {"ENGINE": "django.db.backends.sqlite3", "NAME": copy.name}
        database = ConnectionHandler({"default": backend})["default"]
        with closing(database):
            manifest.columns = {
                each: list(rows.column_types(database, each)) for each in manifest.rows
            }
            manifest.last_keys = rows.last_keys(database)
            yield database


def make_jobs(manifest: Manifest) -> None:
    """Create schedules with the backup's times, and a job for each queued run."""
    make_schedules(manifest.schedules)
    for run in Run.objects.filter(state=Run.State.QUEUED).only("pk"):
        enqueue_run(run)
