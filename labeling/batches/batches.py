"""Change many labels as one batch, and undo a batch. Events are copied by SQL statements."""

from __future__ import annotations

import contextlib
import gc
import logging
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F

from labeling.batches import arrivals, review_requests
from labeling.decisions.decisions import Answer, write_labels
from labeling.errors import AlreadyUndone
from labeling.models import Batch, LabelEvent, QueueItem
from labeling.queue.intake import take_in_chosen
from labeling.queue.places import NO_LEASE, PLACE, misplaced, write_places
from labeling.standing import Past, standing
from labeling.turns import among_keys, in_queue, in_turn, lock_items
from predictions.database import clock
from predictions.database.clock import Moment
from predictions.database.fields import adapted_uuid
from predictions.database.slices import chunks

logger = logging.getLogger(__name__)
AT_ONCE = 1_000  # items recomputed together

CORRECTIONS = """
INSERT INTO labeling_labelevent (prediction_id, kind, digit, is_unreadable, labeler_id, created_at,
  stream, version_id, guess_shown, wants_second, is_gold, batch_id)
SELECT p.id, 'correct', %s, %s, %s, %s, '', p.version_id, %s, %s, %s, %s
FROM predictions_prediction AS p WHERE p.id {among} ORDER BY p.id"""

REVERSALS = """
INSERT INTO labeling_labelevent (prediction_id, kind, is_unreadable, labeler_id, created_at,
  stream, guess_shown, wants_second, is_gold, batch_id, reverses_id, turn)
SELECT e.prediction_id, %s, %s, %s, %s, '', %s, %s, %s, %s, e.id,
  (SELECT COUNT(*) FROM labeling_labelevent AS before WHERE before.reverses_id = e.id)
FROM labeling_labelevent AS e WHERE {which} AND NOT EXISTS (
  SELECT 1 FROM labeling_labelevent AS u WHERE u.reverses_id = e.id AND NOT EXISTS (
    SELECT 1 FROM labeling_labelevent AS r WHERE r.reverses_id = u.id))"""

# Not decisions whose own batch was undone since the withdrawal: a redo would restore them.
NOT_OVERTAKEN = """NOT EXISTS (
  SELECT 1 FROM labeling_labelevent AS said JOIN labeling_batch AS b ON b.id = said.batch_id
  WHERE said.id = e.reverses_id AND b.undone_at IS NOT NULL)"""

PAST = """
SELECT id, kind, digit, is_unreadable, labeler_id, visitor, wants_second, is_gold, reverses_id,
  prediction_id, NULL
FROM labeling_labelevent WHERE prediction_id {among} ORDER BY id"""


def locked_items(keys: Collection[int]) -> list[int]:
    """Enqueue and lock these items; return those not erased. Other decisions on them wait."""
    take_in_chosen(sorted(set(keys) - in_queue(keys)))
    return lock_items(keys)


def append_corrections(keys: list[int], verdict: Answer, *, by: User, batch: Batch) -> int:
    among, given = among_keys(keys)
    return execute_sql(
        CORRECTIONS.format(among=among),
        [
            verdict.digit,
            verdict.is_unreadable,
            by.pk,
            adapted_time(),
            True,
            False,
            False,
            adapted_uuid(batch.pk),
            given,
        ],
    )


def settle_labels(batch: Batch) -> None:
    """Settle the labels that a batch corrects: the rule of `standing`, in SQL."""
    execute_sql(
        "INSERT INTO labeling_label"
        " (prediction_id, digit, is_unreadable, state, opinions, event_id)"
        " SELECT e.prediction_id, e.digit, e.is_unreadable, 'settled',"
        " COALESCE(l.opinions, 0), e.id FROM labeling_labelevent AS e"
        " LEFT JOIN labeling_label AS l ON l.prediction_id = e.prediction_id"
        " WHERE e.batch_id = %s"
        " ON CONFLICT (prediction_id) DO UPDATE SET digit = excluded.digit,"
        " is_unreadable = excluded.is_unreadable, state = excluded.state,"
        " event_id = excluded.event_id",
        [adapted_uuid(batch.pk)],
    )


def close_items(batch: Batch) -> None:
    QueueItem.objects.filter(
        pk__in=LabelEvent.objects.filter(batch=batch).values("prediction"), is_open=True
    ).update(is_open=False, stream=F("origin"), **NO_LEASE)


@in_turn
def undo_batch(batch: Batch, *, by: User) -> int:
    """Undo a whole batch exactly; later decisions stay."""
    taken = Batch.objects.filter(pk=batch.pk, undone_at__isnull=True).update(
        undone_at=Moment(), undone_by=by
    )
    if not taken:
        raise AlreadyUndone("This batch was taken back before.")
    lock_items(items_of(batch))
    kind, which = "undo", "e.batch_id = %s"
    if batch.kind == Batch.Kind.WITHDRAWAL:
        kind, which = "redo", f"{which} AND {NOT_OVERTAKEN}"
    undone = append_reversals(kind, which, [batch.pk], by=by)
    restate_touched(batch)
    review_requests.withdraw_requests(batch)
    arrivals.hide_imported(batch)
    logger.info("batch %s was taken back: %s labels", batch.pk, undone)
    return undone


def items_of(batch: Batch) -> set[int]:
    """Return the items that a batch changed, sent to review, or imported."""
    return {
        key
        for rows in (batch.events, batch.asks, batch.arrivals)
        for key in rows.order_by().values_list("prediction", flat=True)
    }


def append_reversals(
    kind: str,
    which: str,
    params: list[Any],
    *,
    by: User | None,
    batch: Batch | None = None,
) -> int:
    """Reverse the events `e` that `which` selects and nothing has reversed; return how many."""
    return execute_sql(
        REVERSALS.format(which=which),
        [
            kind,
            False,
            by and by.pk,
            adapted_time(),
            False,
            False,
            False,
            batch and adapted_uuid(batch.pk),
            *(adapted_uuid(each) if isinstance(each, UUID) else each for each in params),
        ],
    )


def restate_touched(batch: Batch) -> None:
    """Recompute labels and queue rows of the items that have events of this batch."""
    keys = LabelEvent.objects.filter(batch=batch).values_list("prediction_id", flat=True)
    with uncollected():
        for some in chunks(keys.order_by("prediction_id").iterator(AT_ONCE), AT_ONCE):
            restate_many(some)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Pause the garbage collector: it takes a third of the time, and rows form no cycles."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def restate_many(prediction_ids: list[int]) -> None:
    """Recompute the labels and queue rows of locked items from their events."""
    stands = {key: standing(events) for key, events in events_by_item(prediction_ids).items()}
    items = QueueItem.objects.only(*PLACE).filter(pk__in=list(stands)).order_by("pk")
    write_labels(stands)
    write_places(misplaced(items, stands))


def events_by_item(prediction_ids: list[int]) -> dict[int, list[Past]]:
    """Return each item's events, oldest first; raw database values, without request ids."""
    found: dict[int, list[Past]] = defaultdict(list)
    among, given = among_keys(prediction_ids)
    with connection.cursor() as cursor:
        cursor.execute(PAST.format(among=among), [given])
        for event in map(Past._make, cursor.fetchall()):
            found[event.prediction_id].append(event)
    return found


def execute_sql(sql: str, params: list[Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.rowcount)


def adapted_time() -> Any:
    return connection.ops.adapt_datetimefield_value(clock.now())
