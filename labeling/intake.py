"""How predictions and feedback enter the queue: by reading the rows below, never by being called.

A prediction enters once, by its stream: drawn for the audit, or ordered by how unsure the model
was. Feedback moves an item that is still open to the feedback stream. Both are found by a mark
kept in one row and looked at again a little before it, because rows become visible in the order
their transactions end, not in the order of their keys.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef

from labeling.models import Gold, Intake, QueueItem, Stream
from predictions.models import Feedback, Prediction

AT_ONCE = 1_000  # predictions taken in by one call
LOOK_BACK = 500  # keys behind the mark that are looked at again
LOOK_BACK_TIME = timedelta(seconds=30)
EVERY = 1.0  # seconds between two looks of one process

_looked_at = float("-inf")


def take_in_if_due() -> None:
    """Cheap enough for every request: one look a second a process."""
    global _looked_at
    if time.monotonic() - _looked_at >= EVERY:
        _looked_at = time.monotonic()
        take_in()


def take_in() -> int:
    """Bring the queue up to date with what was captured and said; the number of new items."""
    intake, _ = Intake.objects.get_or_create(pk=1)
    taken = 0
    while True:
        rows = new_predictions(intake)
        taken += len(rows)
        if rows:
            enqueue(rows)
            Intake.objects.filter(pk=1).update(last_prediction=rows[-1].pk)
            intake.last_prediction = rows[-1].pk
        if len(rows) < AT_ONCE:
            break
    take_in_feedback(intake)
    return taken


def new_predictions(intake: Intake) -> list[Prediction]:
    return list(
        Prediction.objects.filter(pk__gt=intake.last_prediction - LOOK_BACK)
        .filter(~Exists(QueueItem.objects.filter(prediction=OuterRef("pk"))))
        .only("is_audit", "audit_probability", "probabilities", "glyph_digest", "user", "visitor")
        .order_by("pk")[:AT_ONCE]
    )


@transaction.atomic
def enqueue(predictions: list[Prediction]) -> None:
    digests = {prediction.glyph_digest for prediction in predictions}
    twins = set(
        QueueItem.objects.filter(glyph_digest__in=digests).values_list("glyph_digest", flat=True)
    )
    gold = set(Gold.objects.filter(pk__in=predictions).values_list("pk", flat=True))
    items = []
    for prediction in predictions:
        item = item_for(prediction)
        # The same glyph is shown once; the audit stays a sample of drawings, twins included.
        is_twin = item.glyph_digest in twins and not prediction.is_audit
        item.is_open = not is_twin and prediction.pk not in gold
        twins.add(item.glyph_digest)
        items.append(item)
    QueueItem.objects.bulk_create(items, ignore_conflicts=True)


def item_for(prediction: Prediction) -> QueueItem:
    margin = margin_of(prediction.probabilities)
    stream = Stream.AUDIT if prediction.is_audit else Stream.UNSURE
    return QueueItem(
        prediction_id=prediction.pk,
        origin=stream,
        stream=stream,
        # The audit is answered in the order it was drawn, the rest by how unsure the model was.
        rank=float(prediction.pk) if prediction.is_audit else margin,
        score=margin,
        selection_probability=prediction.audit_probability if prediction.is_audit else None,
        glyph_digest=prediction.glyph_digest,
        owner_key=owner_key(prediction),
    )


def margin_of(probabilities: list[float]) -> float:
    """How far the best digit is ahead of the next: 0 is undecided, 1 is certain."""
    first, second = sorted(probabilities, reverse=True)[:2]
    return first - second


def owner_key(prediction: Prediction) -> str:
    if prediction.user_id is not None:
        return f"user {prediction.user_id}"
    return str(prediction.visitor or "")


def take_in_feedback(intake: Intake) -> None:
    """Open items that somebody spoke about move to the feedback stream; audits stay blind."""
    since = (intake.last_feedback_at or datetime.min.replace(tzinfo=UTC)) - (
        LOOK_BACK_TIME if intake.last_feedback_at else timedelta(0)
    )
    said = list(
        Feedback.objects.filter(
            changed_at__gt=since,
            prediction__queue_item__is_open=True,
            prediction__queue_item__stream__in=[Stream.UNSURE, Stream.FEEDBACK],
        )
        .select_related("prediction__queue_item")
        .defer("prediction__glyph")
        .order_by("changed_at")[:AT_ONCE]
    )
    moved = [item for feedback in said if (item := moved_by(feedback)) is not None]
    if moved:
        QueueItem.objects.bulk_update(moved, ["stream", "rank"])
    if said:
        Intake.objects.filter(pk=1).update(last_feedback_at=said[-1].changed_at)


def moved_by(feedback: Feedback) -> QueueItem | None:
    """Contradictions before confirmations, the newest first; None where nothing changes."""
    item: QueueItem = feedback.prediction.queue_item  # type: ignore[attr-defined]
    says_wrong = feedback.digit != feedback.prediction.digit
    rank = -feedback.changed_at.timestamp() + (0 if says_wrong else 1e10)
    if item.stream == Stream.FEEDBACK and item.rank == rank:
        return None
    item.stream, item.rank = Stream.FEEDBACK, rank
    return item
