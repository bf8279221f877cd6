"""Items that wait for a reviewer, and sending items to review."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User

from labeling.batches import review_requests
from labeling.batches.batches import AT_ONCE
from labeling.batches.bulk import BulkOutcome, left_alone_in_words
from labeling.batches.selections import ShownItems
from labeling.errors import EmptySelection
from labeling.models import Batch, Gold, Label, LabelEvent, QueueItem, Stream
from labeling.standing import unreversed
from labeling.turns import in_turn, lock_items
from predictions.api.paging import PAGE, Page, page_of
from predictions.database.slices import chunks
from predictions.models import Prediction

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Dispute:
    """An item its labelers disagree about, with who said what."""

    prediction: Prediction
    said: list[LabelEvent]  # oldest first, without undone events


@dataclass(frozen=True, slots=True)
class DisputePage:
    disputes: list[Dispute]
    next_query: str


def disputes(*, before: UUID | None = None, limit: int = PAGE) -> DisputePage:
    """Items that wait for a ruling, newest first, page by page."""
    waiting = Prediction.objects.pictured().filter(label__state=Label.State.DISPUTED).for_lists()
    page: Page = page_of(waiting, before=before, limit=limit)
    said = said_about([row.pk for row in page.rows])
    return DisputePage([Dispute(row, said[row.pk]) for row in page.rows], page.next_query)


def said_about(prediction_ids: Iterable[int]) -> dict[int, list[LabelEvent]]:
    found: dict[int, list[LabelEvent]] = defaultdict(list)
    events = LabelEvent.objects.filter(prediction__in=list(prediction_ids))
    for event in events.select_related("labeler").order_by("pk"):
        found[event.prediction_id].append(event)
    for key, all_said in found.items():
        standing_ids = {event.pk for event in unreversed(all_said)}
        found[key] = [event for event in all_said if event.pk in standing_ids]
    return found


@in_turn
def send_to_review(shown: ShownItems, *, by: User, chosen_by: dict[str, Any]) -> BulkOutcome:
    """Request another, blind look at the items shown, as one batch that can be undone.

    Audits are left alone: which of them get a second look must not depend on anybody's suspicion.
    Items that already wait for somebody are left alone too.
    """
    keys, left = shown.unchanged()
    may, barred = reviewable(keys)
    left |= barred
    if not may:
        raise EmptySelection("Nothing selected can be sent to review. " + left_alone_in_words(left))
    batch = Batch.objects.create(
        kind=Batch.Kind.REVIEW, made_by=by, chosen_by=chosen_by, count=len(may)
    )
    for some in chunks(may, AT_ONCE):
        review_requests.request_review(some, batch=batch)
    logger.info("batch %s sent %s items to review", batch.pk, len(may))
    return BulkOutcome(batch, left)


def reviewable(keys: list[int]) -> tuple[list[int], dict[str, int]]:
    """Return the items that may be sent to review, in order, and the reasons against the others.

    All items are locked until the transaction ends.
    """
    lock_items(keys)
    may: list[int] = []
    left: dict[str, int] = defaultdict(int)
    for some in chunks(keys, AT_ONCE):
        reasons = reasons_against(some)
        for key in some:
            if key in reasons:
                left[reasons[key]] += 1
            else:
                may.append(key)
    return may, dict(left)


def reasons_against(keys: list[int]) -> dict[int, str]:
    """Why items cannot be sent to review."""
    items = QueueItem.objects.filter(pk__in=keys).values_list("pk", "is_open", "stream", "origin")
    gold = set(Gold.objects.filter(pk__in=keys).values_list("pk", flat=True))
    disputed = set(Label.objects.disputed().filter(pk__in=keys).values_list("pk", flat=True))
    # A drawing that is not enqueued yet has no queue row to move.
    reasons = dict.fromkeys(keys, "not in the queue yet")
    for key, is_open, stream, origin in items:
        del reasons[key]
        if origin == Stream.AUDIT:
            reasons[key] = "audits, which lot alone decides about"
        elif key in gold:
            reasons[key] = "gold, whose answer is known"
        elif key in disputed:
            reasons[key] = "disputed, which wait for a reviewer already"
        elif is_open and stream in {Stream.REVIEW, Stream.SECOND}:
            reasons[key] = "waiting for another opinion already"
    return reasons
