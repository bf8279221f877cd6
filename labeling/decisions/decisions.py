"""Decisions of labelers, reviewers and visitors. Each verb appends an event and updates the label.

An event and its label are written in one transaction. The item's queue row is locked first, so
that decisions on one item run one after the other.
"""

from __future__ import annotations

import logging
import random
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError
from django.db.models import Q
from django.db.models.functions import Now

from labeling.errors import AlreadyUndone, Gone, LeaseLost, NothingToUndo, StillBlind
from labeling.models import Label, LabelEvent, QueueItem, Stream
from labeling.queue import gold
from labeling.queue.intake import enqueue
from labeling.queue.places import misplaced, write_places
from labeling.standing import (
    REVERSALS,
    Past,
    Said,
    Standing,
    latest_of_each,
    standing,
    unreversed,
    vote_of,
)
from labeling.turns import in_turn
from predictions.access.accounts import who_may
from predictions.database.clock import Moment
from predictions.errors import NotThere
from predictions.models import Owner, Prediction

logger = logging.getLogger(__name__)
lots = random.SystemRandom()
LONGEST = 600.0  # seconds; a longer time is cut, since the labeler was away


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said about a drawing: a digit, or that it is unreadable (digit None)."""

    digit: int | None

    @property
    def is_unreadable(self) -> bool:
        return self.digit is None

    @property
    def value(self) -> str:
        return "unreadable" if self.digit is None else str(self.digit)


@dataclass(frozen=True, slots=True)
class Decided:
    """The result of a decision; a repeated request gets the same result."""

    event: LabelEvent | Past
    prediction: Prediction
    state: str  # of the label, or "gold"


@in_turn
def decide(
    public_id: uuid.UUID,
    verdict: Answer,
    *,
    labeler: User,
    token: uuid.UUID,
    request_id: uuid.UUID,
    seconds: float | None = None,
    guess_shown: bool = False,
) -> Decided:
    """Record a labeler's answer to an item they hold."""
    item = locked_item(public_id)
    events = events_of(item.prediction_id)
    if answered := by_request(events, request_id):
        check_same(answered, item, LabelEvent.Kind.LABEL, verdict, by=labeler)
        return Decided(answered, item.prediction, state_after(events, answered))
    locked_at: datetime = item.locked_at  # type: ignore[attr-defined]
    is_gold = gold.is_token(labeler.pk, item.prediction_id, token, at=locked_at)
    if is_gold:
        gold.check_unanswered(events, labeler.pk)
    else:
        check_lease(item, labeler, token)
    event = append(
        prediction_id=item.prediction_id,
        kind=LabelEvent.Kind.LABEL,
        digit=verdict.digit,
        is_unreadable=verdict.is_unreadable,
        labeler=labeler,
        stream=item.stream,
        score=item.score,
        selection_probability=item.selection_probability,
        version_id=item.prediction.version_id,
        guess_shown=guess_shown,
        seconds=None if seconds is None else min(max(seconds, 0.0), LONGEST),
        wants_second=not is_gold and calls_for_second(item, verdict, events, labeler),
        is_gold=is_gold,
        request_id=request_id,
    )
    if is_gold:
        return Decided(event, item.prediction, "gold")
    stands = update_label(item, [*events, event], is_answered=True)
    return Decided(event, item.prediction, stands.state if stands else "")


LOOKED_AT = [
    *(field.name for field in QueueItem._meta.concrete_fields),
    *(
        f"prediction__{name}"
        for name in ("public_id", "digit", "confidence", "version", "is_audit")
    ),
]


def locked_item(public_id: uuid.UUID) -> QueueItem:
    """Lock and return an item's queue row; every decision on the item takes this lock."""
    item = (
        QueueItem.objects.select_for_update(of=("self",))
        .select_related("prediction")
        .only(*LOOKED_AT)
        .annotate(is_held=Q(leased_until__gt=Now()), locked_at=Moment())
        .filter(prediction__public_id=public_id)
        .first()
    )
    if item is None:
        raise NotThere(
            "There is no such item in the queue. It may have been erased: reload the page."
        )
    return item


def events_of(prediction_id: int) -> list[Past]:
    return LabelEvent.objects.filter(prediction=prediction_id).past()


def by_request(events: list[Past], request_id: uuid.UUID) -> Past | None:
    return next((event for event in events if event.request_id == request_id), None)


def check_same(answered: Past, item: QueueItem, kind: str, verdict: Answer, *, by: User) -> None:
    """Refuse a repeated request that is by another person or has other content."""
    if answered.labeler_id != by.pk:
        raise Gone("This request id was used by somebody else.")
    said = (answered.prediction_id, answered.kind, answered.digit, answered.is_unreadable)
    if said != (item.prediction_id, kind, verdict.digit, verdict.is_unreadable):
        raise Gone("This request id was used for something else; nothing was changed.")


def state_after(events: list[Past], answered: Past) -> str:
    """Return the label's state right after this answer, without later decisions."""
    if answered.is_gold:
        return "gold"
    stood = standing(event for event in events if event.pk <= answered.pk)
    return stood.state if stood else ""


def append(**fields: Any) -> LabelEvent:
    try:
        return LabelEvent.objects.create(**fields)
    except IntegrityError as taken:  # the same request id on another item
        if "request_id" not in str(taken):
            raise
        raise Gone("This request id was used for something else; nothing was changed.") from taken


def check_lease(item: QueueItem, labeler: User, token: uuid.UUID) -> None:
    """Refuse an expired or foreign lease. The row is locked, so the lease cannot change now."""
    is_theirs = item.is_open and item.holder_id == labeler.pk and item.token == token
    if not (is_theirs and item.is_held):  # type: ignore[attr-defined]
        raise LeaseLost("This item is no longer yours: the hold ran out or moved on.")


def calls_for_second(
    item: QueueItem, verdict: Answer, events: Iterable[Said], labeler: User
) -> bool:
    """Whether a first opinion needs a second: it contradicts a confident model, or at random."""
    if any(event.labeler_id != labeler.pk for event in unreversed(events)):
        return False
    contradicts = verdict.digit != item.prediction.digit
    is_called = contradicts and item.prediction.confidence >= settings.CONFIDENT
    return (is_called or drawn_by_lot()) and others_label(labeler)


def drawn_by_lot() -> bool:
    return lots.random() < settings.SECOND_OPINION_RATE


def others_label(labeler: User) -> bool:
    """Whether anybody else can give a second opinion; without one the item would wait forever."""
    return who_may("labeling.label_items").exclude(pk=labeler.pk).exists()


def update_label(
    item: QueueItem, events: Iterable[Said], *, is_answered: bool = False
) -> Standing | None:
    """Write the label and the place that follow from these events; an answer ends the lease."""
    stands = standing(events)
    write_labels({item.pk: stands})
    moved = misplaced([item], {item.pk: stands})
    write_places([item] if is_answered else moved, end_leases=is_answered)
    return stands


def write_labels(stands: Mapping[int, Standing | None]) -> None:
    """Save what stands of each item; delete the labels of those of which nothing does."""
    if gone := [key for key, stand in stands.items() if stand is None]:
        Label.objects.filter(pk__in=gone).delete()
    Label.objects.bulk_create(
        [
            Label(
                prediction_id=key,
                digit=stand.digit,
                is_unreadable=stand.is_unreadable,
                state=stand.state,
                opinions=stand.opinions,
                event_id=stand.event_id,
            )
            for key, stand in stands.items()
            if stand is not None
        ],
        update_conflicts=True,
        unique_fields=["prediction"],
        update_fields=["digit", "is_unreadable", "state", "opinions", "event"],
    )


@in_turn
def undo(labeler: User, *, request_id: uuid.UUID, of: uuid.UUID | None = None) -> LabelEvent:
    """Undo one of the labeler's own decisions; label and queue row are as without it.

    `of` is the request id of the decision; without it, the last current one outside batches.
    """
    if done := undone_by_request(request_id, labeler):
        return done
    own = LabelEvent.objects.of_labeler(labeler.pk).select_related("prediction")
    if of is None:
        meant = own.standing().filter(batch__isnull=True).order_by("-pk").first()
    else:
        meant = own.filter(request_id=of).exclude(kind__in=REVERSALS).first()
    if meant is None and of is not None:
        raise NotThere("There is no such answer of yours.")
    if meant is None:
        raise NothingToUndo("There is nothing of yours left to take back.")
    return reverse(meant, by=labeler, request_id=request_id)


def undone_by_request(request_id: uuid.UUID | None, labeler: User) -> LabelEvent | None:
    if request_id is None:
        return None
    done = LabelEvent.objects.filter(request_id=request_id).first()
    if done is not None and (done.labeler_id, done.kind) != (labeler.pk, LabelEvent.Kind.UNDO):
        raise Gone("This request id was used for something else; nothing was changed.")
    return done


def reverse(event: LabelEvent, *, by: User, request_id: uuid.UUID | None = None) -> LabelEvent:
    """Append an undo of this event, and write the label that follows without it."""
    item = locked_item(event.prediction.public_id)
    if done := undone_by_request(request_id, by):  # the same request, sent twice at once
        return done
    reversals = LabelEvent.objects.filter(reverses=event).count()
    if not LabelEvent.objects.standing().filter(pk=event.pk).exists():
        raise AlreadyUndone("This was taken back before.")
    undoing = append(
        prediction_id=event.prediction_id,
        kind=LabelEvent.Kind.UNDO,
        labeler=by,
        reverses=event,
        turn=reversals,
        request_id=request_id,
    )
    if not event.is_gold:
        update_label(item, events_of(event.prediction_id))
    logger.info("event %s was taken back by event %s", event.pk, undoing.pk)
    return undoing


@in_turn
def settle(
    public_id: uuid.UUID, verdict: Answer, *, reviewer: User, request_id: uuid.UUID
) -> Decided:
    """Record a reviewer's ruling, whoever holds the item; an audit needs a blind answer first."""
    item = locked_item(public_id)
    events = events_of(item.prediction_id)
    if answered := by_request(events, request_id):
        check_same(answered, item, LabelEvent.Kind.SETTLE, verdict, by=reviewer)
        return Decided(answered, item.prediction, state_after(events, answered))
    is_audit = item.prediction.is_audit
    if is_audit and standing(events) is None:
        raise StillBlind(
            "This drawing is audited and has no answer yet. "
            "The first is given blind, on the label page."
        )
    event = append(
        prediction_id=item.prediction_id,
        kind=LabelEvent.Kind.SETTLE,
        digit=verdict.digit,
        is_unreadable=verdict.is_unreadable,
        labeler=reviewer,
        stream=Stream.REVIEW,
        version_id=item.prediction.version_id,
        guess_shown=not is_audit,
        request_id=request_id,
    )
    stands = update_label(item, [*events, event])
    assert stands is not None
    return Decided(event, item.prediction, stands.state)


@in_turn
def label_by_feedback(
    prediction: Prediction, verdict: Answer, *, owner: Owner
) -> LabelEvent | None:
    """Turn a trusted person's feedback into a label; an audit gets none, it is labeled blind."""
    if prediction.is_audit:
        return None
    if not QueueItem.objects.filter(pk=prediction.pk).exists():
        enqueue([prediction])
    item = locked_item(prediction.public_id)
    events = events_of(prediction.pk)
    if says_already(events, verdict, owner):
        return None
    event = LabelEvent.objects.create(
        prediction=prediction,
        kind=LabelEvent.Kind.LABEL,
        digit=verdict.digit,
        is_unreadable=verdict.is_unreadable,
        labeler_id=owner.user_id,
        visitor=owner.visitor,
        stream=Stream.FEEDBACK,
        score=item.score,
        version_id=prediction.version_id,
        guess_shown=True,
    )
    update_label(item, [*events, event])
    return event


def says_already(events: list[Past], verdict: Answer, owner: Owner) -> bool:
    """Whether this person's current opinion is the same, with no ruling since."""
    live = unreversed(events)
    rulings = [event.pk for event in live if event.kind != LabelEvent.Kind.LABEL]
    return any(
        (event.labeler_id, event.visitor) == (owner.user_id, owner.visitor)
        and vote_of(event) == (verdict.digit, verdict.is_unreadable)
        and event.pk > max(rulings, default=0)
        for event in latest_of_each(live)
    )
