"""Enqueue predictions and apply feedback, by reading the rows of `predictions`.

Each prediction is enqueued once: in the audit stream, or ordered by how unsure the model was.
Feedback moves an open item to the feedback stream. One row stores how far both were read. A pass
enqueues every prediction that it sees after that point, and moves the point only as far as no
prediction can appear any more.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.db.models import Exists, OuterRef, QuerySet

from labeling.models import Gold, Intake, QueueItem, Stream
from labeling.queue.places import place_of
from labeling.turns import in_turn, lock_items
from predictions.database.append_only import PATIENCE, complete_until
from predictions.database.slices import chunks
from predictions.models import Feedback, Owner, Prediction

AT_ONCE = 1_000  # rows per transaction
MOVABLE = [Stream.UNSURE, Stream.FEEDBACK]
LOOK_BACK = timedelta(seconds=30)  # feedback has no keys in the order of time
EVERY = 1.0  # seconds between two passes of one process
A_MOMENT = 0.05  # seconds that a request waits for captures under way


class IntakeTimer:
    """When this process ran its last pass."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.looked_at = float("-inf")

    def take_in_if_due(self) -> None:
        """Run a pass at most once a second in each process: cheap enough for every request."""
        now = time.monotonic()
        if now - self.looked_at < EVERY:
            return
        self.looked_at = now
        enqueue_new(patience=A_MOMENT)


watch = IntakeTimer()


def enqueue_new(*, patience: float = PATIENCE) -> int:
    """Enqueue new predictions and apply new feedback; return the number of new items."""
    intake, _ = Intake.objects.get_or_create(pk=1)
    until = complete_until(Prediction, intake.last_prediction, patience=patience)
    taken, after = 0, intake.last_prediction
    while rows := new_predictions(after):
        enqueue(rows)
        taken, after = taken + len(rows), rows[-1].pk
    if until > intake.last_prediction:
        Intake.objects.filter(pk=1, last_prediction__lt=until).update(last_prediction=until)
    take_in_feedback(intake)
    return taken


def taken_in_until() -> int:
    """The key up to which every prediction is in the queue, or will never be."""
    return Intake.objects.values_list("last_prediction", flat=True).first() or 0


def take_in_chosen(keys: Sequence[int]) -> None:
    """Enqueue these predictions, however far the queue has read."""
    for some in chunks(keys, AT_ONCE):
        enqueue(list(outside().filter(pk__in=some)))


def new_predictions(after: int) -> list[Prediction]:
    return list(outside().filter(pk__gt=after)[:AT_ONCE])


def outside() -> QuerySet[Prediction]:
    """Predictions without a queue row; erased ones are excluded."""
    return (
        Prediction.objects.pictured()
        .filter(~Exists(QueueItem.objects.filter(prediction=OuterRef("pk"))))
        .only(
            "is_audit", "audit_probability", "probabilities", "digit", "glyph_digest", "user",
            "visitor", "public_id", "day",
        )
        .order_by("pk")
    )  # fmt: skip


@in_turn
def enqueue(predictions: list[Prediction]) -> None:
    """Create queue rows, except for predictions erased since they were read."""
    predictions = still_pictured(predictions)
    digests = {prediction.glyph_digest for prediction in predictions}
    twins = set(
        QueueItem.objects.filter(glyph_digest__in=digests).values_list("glyph_digest", flat=True)
    )
    gold = set(Gold.objects.filter(pk__in=predictions).values_list("pk", flat=True))
    items = []
    for prediction in predictions:
        item = item_for(prediction)
        # Each glyph is shown once, except in the audit, which samples drawings with duplicates.
        is_twin = item.glyph_digest in twins and not prediction.is_audit
        item.is_parked = is_twin or prediction.pk in gold
        item.is_open, item.stream = place_of(item, None)
        twins.add(item.glyph_digest)
        items.append(item)
    QueueItem.objects.bulk_create(items, ignore_conflicts=True)


def still_pictured(predictions: list[Prediction]) -> list[Prediction]:
    """Keep those not erased, and lock them against erasure until the transaction ends."""
    rows = Prediction.objects.pictured().filter(pk__in=[row.pk for row in predictions])
    locked = rows.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True)
    kept = set(locked)
    return [row for row in predictions if row.pk in kept]


def item_for(prediction: Prediction) -> QueueItem:
    margin = margin_of(prediction.probabilities)
    stream = Stream.AUDIT if prediction.is_audit else Stream.UNSURE
    return QueueItem(
        prediction_id=prediction.pk,
        origin=stream,
        stream=stream,
        rank=audit_rank(prediction) if prediction.is_audit else margin,
        score=margin,
        digit=prediction.digit,
        selection_probability=prediction.audit_probability if prediction.is_audit else None,
        glyph_digest=prediction.glyph_digest,
        owner_key=Owner(prediction.user_id, prediction.visitor).key,
    )


def audit_rank(prediction: Prediction) -> float:
    """Audits come by month, and at random within one.

    So the labeled audits of a month are a random part of it, however many are labeled. In the order
    of time they would be its first days, before a promotion for example.
    """
    month = 12 * prediction.day.year + prediction.day.month
    return month + prediction.public_id.int % 2**32 / 2**32


def margin_of(probabilities: list[float]) -> float:
    """Difference of the two highest probabilities: 0 is undecided, 1 is certain."""
    first, second = sorted(probabilities, reverse=True)[:2]
    return first - second


def take_in_feedback(intake: Intake) -> None:
    """Move open items with new feedback to the feedback stream; audits keep their stream."""
    since = (intake.last_feedback_at or datetime.min.replace(tzinfo=UTC)) - (
        LOOK_BACK if intake.last_feedback_at else timedelta(0)
    )
    at, key = since, 0
    while said := feedback_after(at, key):
        move_items([item for feedback in said if (item := moved_by(feedback)) is not None])
        at, key = said[-1].changed_at, said[-1].pk
    if key and at != intake.last_feedback_at:
        Intake.objects.filter(pk=1).update(last_feedback_at=at)


@in_turn
def move_items(items: list[QueueItem]) -> None:
    lock_items([item.pk for item in items])
    # Check again under the lock: an item decided since it was read is not moved.
    movable = QueueItem.objects.filter(is_open=True, stream__in=MOVABLE)
    movable.bulk_update(items, ["origin", "stream", "rank"])


def feedback_after(at: datetime, key: int) -> list[Feedback]:
    return list(
        Feedback.objects.filter(changed_at__gte=at)
        .exclude(changed_at=at, pk__lte=key)
        .filter(prediction__queue_item__is_open=True, prediction__queue_item__stream__in=MOVABLE)
        .select_related("prediction__queue_item")
        .defer("prediction__glyph", "prediction__probabilities")
        .order_by("changed_at", "pk")[:AT_ONCE]
    )


def moved_by(feedback: Feedback) -> QueueItem | None:
    """Rank contradictions before confirmations, newest first; None if nothing changes."""
    item: QueueItem = feedback.prediction.queue_item
    says_wrong = feedback.digit != feedback.prediction.digit
    rank = -feedback.changed_at.timestamp() + (0 if says_wrong else 1e10)
    if item.stream == Stream.FEEDBACK and item.rank == rank:
        return None
    item.origin, item.stream, item.rank = Stream.FEEDBACK, Stream.FEEDBACK, rank
    return item
