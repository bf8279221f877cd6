"""The lock order of verbs that change labels. All use the same order, so that none deadlocks.

A verb takes all of its locks, in this order, before it writes anything that others may wait for:

1. the row of the batch that it undoes or adds to, or of the selection that it acts on;
2. missing queue rows, inserted by ascending key (`take_in_chosen`; `take_in` runs before, in
   transactions of its own);
3. the advisory lock of claims, which only `queue.claim` takes;
4. the queue rows of all items it will touch, by ascending key, in one statement (`lock_items`);
5. the predictions of items that have no queue row because they were erased, by ascending key
   (`lock_items` too).

Everything else about an item (events, label, asks, gold, skips) is read after that and written
without further locks. Claims skip locked rows, so they never wait for an item. At commit,
PostgreSQL locks the rows that new rows refer to, in the order of the inserts. So code that inserts
without the item's lock inserts by ascending key.
"""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Collection, Iterable
from typing import Any, ParamSpec, TypeVar

from django.db import connection, transaction

from predictions.database.deadlock import tried_again

_turn = threading.Lock()
P = ParamSpec("P")
T = TypeVar("T")

IN_QUEUE = "SELECT prediction_id FROM labeling_queueitem WHERE prediction_id {among}"
LOCK_PLACES = IN_QUEUE + " ORDER BY prediction_id FOR UPDATE"
LOCK_PREDICTIONS = """
SELECT id FROM predictions_prediction WHERE id {among} ORDER BY id FOR NO KEY UPDATE"""


def in_turn(verb: Callable[P, T]) -> Callable[P, T]:
    """Run a verb in one transaction; retry it once if PostgreSQL ended it to break a deadlock.

    SQLite retries with growing sleeps; this lock queues the writers of a process instead.
    Inside another transaction there is no lock and no retry: the outer one is responsible.
    """

    in_transaction = tried_again(transaction.atomic(verb))

    @functools.wraps(verb)
    def waiting(*args: P.args, **kwargs: P.kwargs) -> T:
        if connection.vendor != "sqlite" or connection.in_atomic_block:
            return in_transaction(*args, **kwargs)
        with _turn:
            return in_transaction(*args, **kwargs)

    return waiting


def lock_items(keys: Iterable[int]) -> list[int]:
    """Lock these items until the transaction ends; return those that are in the queue."""
    keys = set(keys)
    if connection.features.has_select_for_update:
        places = selected(LOCK_PLACES, keys)
        if outside := keys.difference(places):
            selected(LOCK_PREDICTIONS, outside)
        return places
    return sorted(in_queue(keys))  # SQLite has one writer: all is locked


def in_queue(keys: Collection[int]) -> set[int]:
    """Return those of these items that have a queue row, leased or not."""
    return set(selected(IN_QUEUE, keys))


def selected(sql: str, keys: Collection[int]) -> list[int]:
    among, given = among_keys(keys)
    with connection.cursor() as cursor:
        cursor.execute(sql.format(among=among), [given])
        return [key for (key,) in cursor.fetchall()]


def among_keys(keys: Collection[int]) -> tuple[str, Any]:
    """Pass any number of keys as one SQL parameter.

    With a subquery in place of the keys, PostgreSQL would read whole tables.
    """
    if connection.vendor == "postgresql":
        return "= ANY(%s)", list(keys)
    return "IN (SELECT value FROM json_each(%s))", json.dumps(list(keys))
