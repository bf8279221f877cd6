"""The database's clock, which all hosts share; it sets the times of history.

The statement that writes a row also sets its time, so hosts whose clocks differ write history in
order. Decisions about one item are serialized, so their times rise with their keys. Across items a
time may be slightly earlier than that of a lower key, so sort by key.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from django.db import connection, migrations, models
from django.db.models.functions import Now
from django.utils.dateparse import parse_datetime
from django.utils.timezone import get_current_timezone_name

POSTGRESQL = "STATEMENT_TIMESTAMP()"
# Exactly the text that Django writes, because SQLite compares times as text.
SQLITE = "REPLACE(STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'now') || '000', '.000000', '')"

Sql = tuple[str, Any]  # SQL and its parameters; a list, because migrations concatenate lists


class Moment(Now):
    """When the statement began; a default of columns, and a value in INSERT and UPDATE."""

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Self:
        return self  # it has no references to resolve

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Sql:
        return POSTGRESQL, []

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Sql:
        return SQLITE, []


class Today(Moment):
    """The day of that moment in the configured time zone.

    `TruncDate` gives the same, but only Django's compiler can write it; `insert` does without.
    """

    output_field: ClassVar[Any] = models.DateField()

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Sql:
        return f"({POSTGRESQL} AT TIME ZONE %s)::date", [get_current_timezone_name()]

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Sql:
        zone = get_current_timezone_name()
        return f"django_datetime_cast_date({SQLITE}, %s, %s)", [zone, connection.timezone_name]


def now() -> datetime:
    """Query the database's time, for the few places that need it before they write."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {POSTGRESQL if connection.vendor == 'postgresql' else SQLITE}", [])
        (told,) = cursor.fetchone()
    if isinstance(told, datetime):
        return told
    found = parse_datetime(told)
    assert found is not None  # it is in the form we asked for
    return found.replace(tzinfo=UTC)


# -- migrations -----------------------------------------------------------------------------------


def dated(model: str, name: str, **options: Any) -> DatedByDatabase:
    """A migration after which the database, not the host, sets the times of a column."""
    return DatedByDatabase(model, name, models.DateTimeField(db_default=Moment(), **options))


class DatedByDatabase(migrations.AlterField):
    """Set the column's default on PostgreSQL only; SQLite would copy the whole table.

    On SQLite, Django writes the expression into each INSERT and needs no default.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        if schema_editor.connection.vendor != "sqlite":
            super().database_forwards(app_label, schema_editor, *states)

    def database_backwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        if schema_editor.connection.vendor != "sqlite":
            super().database_backwards(app_label, schema_editor, *states)
