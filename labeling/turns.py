"""How verbs that change labels wait for each other: one order of locks, so that none deadlocks.

A verb takes what it needs in this order, and has all of it before it writes anything that others
may wait for:

1. the row of the batch that is taken back or added to, or of the selection that is acted on;
2. places in the queue that items still lack, by ascending key (`take_in_chosen`; `take_in` is a
   transaction of its own, before the verb's);
3. the turn of claims, which `queue.claim` alone takes;
4. the queue rows of all items it will touch, by ascending key, in one statement (`lock_items`);
5. the predictions of those items that have no queue row, because they were erased, by ascending
   key (`lock_items` too).

Whatever else belongs to an item (events, its label, asks, gold, skips) is read after that and
written without locks of its own. Claims skip rows that are locked, so they wait for no item. Where
a row is inserted, PostgreSQL locks the rows it refers to when the transaction ends, in the order of
the inserts: whoever inserts without the lock of the item inserts by ascending key.
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
    """One transaction, tried once more where PostgreSQL ended it to break a deadlock.

    On SQLite whoever waits naps ever longer between two looks; here the next is woken at once.
    Inside another transaction nothing waits and nothing is tried again: whoever began it has the
    database already.
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
    """These items are the caller's to change until its transaction ends; those in the queue."""
    keys = set(keys)
    if connection.features.has_select_for_update:
        places = selected(LOCK_PLACES, keys)
        if outside := keys.difference(places):
            selected(LOCK_PREDICTIONS, outside)
        return places
    return sorted(in_queue(keys))  # SQLite's one writer has everything locked


def in_queue(keys: Collection[int]) -> set[int]:
    """Those of these items that have a place in the queue, in their hands or not."""
    return set(selected(IN_QUEUE, keys))


def selected(sql: str, keys: Collection[int]) -> list[int]:
    among, given = among_keys(keys)
    with connection.cursor() as cursor:
        cursor.execute(sql.format(among=among), [given])
        return [key for (key,) in cursor.fetchall()]


def among_keys(keys: Collection[int]) -> tuple[str, Any]:
    """Any number of keys as one parameter.

    They are named one by one: told only by what they are selected, PostgreSQL reads whole tables.
    """
    if connection.vendor == "postgresql":
        return "= ANY(%s)", list(keys)
    return "IN (SELECT value FROM json_each(%s))", json.dumps(list(keys))
