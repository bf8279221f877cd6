"""Reading a table that is only added to, while others add to it.

Rows become visible in the order their transactions end, not in the order of their keys: a row may
appear after a row with a higher key was read. `complete_until` finds a key up to which no row can
appear any more. On SQLite there is one writer at a time, so this is the highest key. On PostgreSQL
a transaction that inserts holds a lock on the table from before its first key until it ends. So
`complete_until` reads the highest key, then lists the holders of such locks; later transactions
take higher keys. When the listed transactions have ended, every row up to the highest key is
visible or was rolled back. Inserts never wait for this.
"""

from __future__ import annotations

import time

from django.db import connection
from django.db.models import Model

LOOK_AGAIN = 0.005  # seconds between two checks for open inserting transactions
PATIENCE = 1.0  # seconds to wait for these; rows of longer transactions are read next time

INSERTING = """
SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND mode = 'RowExclusiveLock'
  AND granted AND relation = %s::regclass AND pid IS DISTINCT FROM pg_backend_pid()
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


def complete_until(log: type[Model], since: int, *, patience: float = PATIENCE) -> int:
    """A key up to which all rows are visible; never below `since`."""
    deadline = time.monotonic() + patience
    highest = highest_key(log)
    if highest <= since:
        return since
    pending = inserting(log)
    while pending:
        if time.monotonic() >= deadline:
            return since
        time.sleep(LOOK_AGAIN)
        pending &= inserting(log)
    return highest


def highest_key(log: type[Model]) -> int:
    return log._default_manager.order_by("-pk").values_list("pk", flat=True).first() or 0


def inserting(log: type[Model]) -> set[str]:
    """Open transactions that may have inserted rows."""
    if connection.vendor != "postgresql":
        return set()
    with connection.cursor() as cursor:
        cursor.execute(INSERTING, [log._meta.db_table])
        return {row[0] for row in cursor.fetchall()}
