"""Tables as lines of text, the same for equal rows in SQLite and in PostgreSQL.

A line is a row: a JSON array. Binary values are `\\x` and hexadecimal digits, UUIDs 32 hexadecimal
digits, times UTC as Django writes them to SQLite, and JSON is text with sorted keys. Rows are
ordered by primary key, and read and written one by one: memory does not grow with the table.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

Types = dict[str, str]  # Django's name of each column's type, by the column's name
# The tables that no backup holds, and why.
LEFT_OUT = {
    "django_session": "a backup signs nobody in",
    "django_q_ormq": "jobs are pickles, which can run code when they are loaded",
    "django_q_task": "results of jobs are pickles too",
    "django_q_schedule": "it names functions to call; the manifest has the times",
}
# How a column is selected, by Django's name of its type.
AS_IT_IS = {"postgresql": "{}", "sqlite": "+{}"}  # the sign turns off Django's conversions
SELECTED = {
    "postgresql": {
        "BinaryField": r"'\x' || encode({}, 'hex')",
        "DateField": "to_char({}, 'YYYY-MM-DD')",
        "DateTimeField": (
            "replace(to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), '.000000', '')"
        ),
        "GenericIPAddressField": "host({})",
        "JSONField": "{}::text",
        "UUIDField": "replace({}::text, '-', '')",
    },
    "sqlite": {
        "BinaryField": r"CASE WHEN {0} IS NOT NULL THEN '\x' || lower(hex({0})) END",
        "BooleanField": "{}",
        # SQLite's own functions give milliseconds.
        "DateTimeField": "CASE length({0}) WHEN 23 THEN {0} || '000' ELSE {0} END",
    },
}
SQLITE_COLUMNS = """
SELECT found.name, lower(found.type), instr(sql, 'JSON_VALID("' || found.name || '")') > 0
FROM sqlite_master, pragma_table_info(sqlite_master.name) AS found
WHERE sqlite_master.name = %s ORDER BY cid"""
BY_BYTES = {"postgresql": ' COLLATE "C"', "sqlite": ""}  # the order of texts
IN_MEMORY = 50  # rows from PostgreSQL; those of weights have a megabyte
LAST_KEYS = {
    "postgresql": (
        "SELECT regexp_replace(sequencename, '_id_seq$', ''), last_value FROM pg_sequences"
        " WHERE schemaname = ANY (current_schemas(false)) AND last_value IS NOT NULL"
    ),
    "sqlite": "SELECT name, seq FROM sqlite_sequence WHERE seq > 0",
}
SET_LAST_KEY = {
    "postgresql": ["SELECT setval(pg_get_serial_sequence(quote_ident(%(table)s), 'id'), %(key)s)"],
    "sqlite": [
        "DELETE FROM sqlite_sequence WHERE name = %(table)s",
        "INSERT INTO sqlite_sequence (name, seq) VALUES (%(table)s, %(key)s)",
    ],
}
# PostgreSQL's text format of COPY.
ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"})


def tables() -> list[str]:
    """The tables that a backup holds, by name."""
    known = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return sorted({*known, MigrationRecorder.Migration._meta.db_table} - LEFT_OUT.keys())


def quote(*names: str) -> str:
    """Quote names for SQL; Django's quote_name does not quote a name that has quotes."""
    return ", ".join('"{}"'.format(name.replace('"', '""')) for name in names)


def column_types(database: BaseDatabaseWrapper, table: str) -> Types:
    """The table's columns, by name: tables of equal rows may have them in different orders."""
    introspection = database.introspection
    with database.cursor() as cursor:
        if database.vendor == "postgresql":
            found = introspection.get_table_description(cursor, table)
            types = [(each.name, introspection.get_field_type(each[1], each)) for each in found]
        else:  # Django's own way parses SQL, and takes longer than all else
            cursor.execute(SQLITE_COLUMNS, [table])
            types = [
                (name, "JSONField" if is_json else introspection.data_types_reverse[kind])
                for name, kind, is_json in cursor.fetchall()
            ]
    return dict(sorted(types))


def read_lines(database: BaseDatabaseWrapper, table: str, types: Types) -> Iterator[bytes]:
    """Each row as a line."""
    vendor = database.vendor
    selected = ", ".join(
        SELECTED[vendor].get(kind, AS_IT_IS[vendor]).format(quote(name))
        for name, kind in types.items()
    )
    with database.cursor() as cursor:
        key = database.introspection.get_primary_key_columns(cursor, table) or list(types)
    order = ", ".join(quote(name) + BY_BYTES[vendor] * (types[name] == "CharField") for name in key)
    documents = [place for place, kind in enumerate(types.values()) if kind == "JSONField"]
    with database.chunked_cursor() as cursor:
        if vendor == "postgresql":
            cursor.cursor.itersize = IN_MEMORY
        cursor.execute(f"SELECT {selected} FROM {quote(table)} ORDER BY {order}")  # noqa: S608
        for row in map(list, cursor):
            for place in documents:
                if row[place] is not None:
                    row[place] = json.dumps(json.loads(row[place]), sort_keys=True)
            yield json.dumps(row).encode() + b"\n"


def digest_of_table(database: BaseDatabaseWrapper, table: str, types: Types) -> str:
    digest = hashlib.sha256()
    for line in read_lines(database, table, types):
        digest.update(line)
    return digest.hexdigest()


def write_lines(table: str, types: Types, lines: Iterable[str | bytes]) -> None:
    """Insert the rows into an empty table."""
    rows = map(json.loads, lines)
    if connection.vendor == "postgresql":
        encoded = map(as_copied, rows)
        copy_in(table, types, SimpleNamespace(read=lambda size: next(encoded, b"")))
        return
    binary = [place for place, kind in enumerate(types.values()) if kind == "BinaryField"]
    statement = (
        f"INSERT INTO {quote(table)} ({quote(*types)})"  # noqa: S608
        f" VALUES ({', '.join('?' * len(types))})"
    )
    # Django's executemany keeps all rows in memory.
    connection.connection.executemany(statement, (with_bytes(row, binary) for row in rows))


def copy_in(table: str, columns: Iterable[str], file: Any) -> None:
    """Insert rows in PostgreSQL's text format."""
    with connection.cursor() as cursor:
        cursor.copy_expert(f"COPY {quote(table)} ({quote(*columns)}) FROM STDIN", file)


def as_copied(row: list[Any]) -> bytes:
    """One row in PostgreSQL's text format."""
    texts = [r"\N" if value is None else str(value).translate(ESCAPES) for value in row]
    return "\t".join(texts).encode() + b"\n"


def with_bytes(row: list[Any], places: list[int]) -> list[Any]:
    for place in places:
        if row[place] is not None:
            row[place] = bytes.fromhex(row[place][2:])
    return row


def last_keys(database: BaseDatabaseWrapper) -> dict[str, int]:
    """The last key that each table gave out, perhaps to a row that is gone."""
    with database.cursor() as cursor:
        cursor.execute(LAST_KEYS[database.vendor])
        return {table: key for table, key in cursor.fetchall() if table not in LEFT_OUT}


def set_last_keys(keys: dict[str, int]) -> None:
    """Give out later keys only: readers of logs remember the last key they have read."""
    with connection.cursor() as cursor:
        for table, key in keys.items():
            for statement in SET_LAST_KEY[connection.vendor]:
                cursor.execute(statement, {"table": table, "key": key})
