"""Request another look at items, and undo such a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import F, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce

from labeling.models import Ask, Batch, Label, QueueItem, Stream
from labeling.queue.places import put_where_they_belong
from predictions.database.slices import chunks

ITEMS_A_SECOND = 1_000  # ranks are 1/1000 s apart, to keep the order within a request
AT_ONCE = 2_000  # rows read together


def request_review(
    keys: Sequence[int], *, batch: Batch, scores: Mapping[int, float] | None = None
) -> list[Ask]:
    """Put items, locked by the caller, at the front of the review stream in the order given.

    Their labels stay; the next opinion confirms or contradicts them.
    """
    found = QueueItem.objects.filter(pk__in=keys)
    ranks = dict(found.values_list("pk", "rank"))
    reviews = dict(found.values_list("pk", "review_after"))
    digits = dict(Label.objects.filter(pk__in=keys).values_list("pk", "digit"))
    first = -batch.made_at.timestamp()  # the newest request comes first, as in the feedback stream
    asked = [
        Ask(
            prediction_id=key,
            batch=batch,
            score=(scores or {}).get(key),
            digit=digits.get(key),
            rank=first + at / ITEMS_A_SECOND,
            was_rank=ranks[key],
            was_review_after=reviews[key],
        )
        for at, key in enumerate(keys)
    ]
    Ask.objects.bulk_create(asked)
    found.update(
        is_open=True,
        stream=Stream.REVIEW,
        rank=asked_of(batch, "rank"),
        review_after=Coalesce(
            Subquery(Label.objects.filter(pk=OuterRef("pk")).values("event_id")), Value(0)
        ),
    )
    return asked


def asked_of(batch: Batch, field: str) -> Any:
    """A subquery: this field of the batch's `Ask` for each queue item."""
    return Subquery(Ask.objects.filter(batch=batch, prediction=OuterRef("pk")).values(field))


def withdraw_requests(batch: Batch) -> None:
    """Restore the queue places of a batch's items; answers given since stay."""
    # Not items that a later request has moved; undoing that request restores them.
    as_left = Ask.objects.filter(batch=batch, rank=F("prediction__queue_item__rank"))
    keys = list(as_left.order_by("prediction").values_list("prediction", flat=True))
    for some in chunks(keys, AT_ONCE):
        QueueItem.objects.filter(pk__in=some).update(
            rank=asked_of(batch, "was_rank"), review_after=asked_of(batch, "was_review_after")
        )
        put_where_they_belong(some)
