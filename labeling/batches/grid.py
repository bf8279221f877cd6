"""The grid: many glyphs with the same guess, confirmed together as one batch."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from labeling.batches import review_requests
from labeling.batches.batches import restate_many, undo_batch
from labeling.decisions.decisions import drawn_by_lot, others_label
from labeling.errors import EmptySelection, Gone, LeaseLost
from labeling.models import Ask, Batch, LabelEvent, QueueItem, Skip, Stream, Wanted
from labeling.queue.held import Held, as_held
from labeling.queue.places import NO_LEASE
from labeling.queue.queue import lease
from labeling.turns import in_turn
from predictions.errors import NotThere

logger = logging.getLogger(__name__)
AT_MOST = 50  # glyphs on one grid


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The result of a confirmation; a repeated request gets the same result."""

    batch: Batch
    confirmed: int
    sent_back: int


@in_turn
def claim_grid(labeler: User, *, digit: int, count: int = AT_MOST) -> list[Held]:
    """Lease the surest unlabeled guesses of one digit, including the labeler's own leases.

    Audits, gold, second opinions and items with priority are answered one at a time, blind.
    """
    skipped = Skip.objects.filter(prediction=OuterRef("pk"), labeler=labeler)
    wanted = Wanted.objects.filter(prediction=OuterRef("pk"))
    rows = list(
        QueueItem.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("prediction")
        .filter(is_open=True, stream=Stream.UNSURE, digit=digit)
        .filter(Q(leased_until__isnull=True) | Q(leased_until__lte=Now()) | Q(holder=labeler))
        .filter(~Exists(skipped), ~Exists(wanted))
        .only(
            "prediction",
            "stream",
            "prediction__public_id",
            "prediction__glyph",
            "prediction__digit",
            "prediction__is_audit",
        )
        .order_by("-score", "prediction")[: min(count, AT_MOST)]
    )
    if not rows:
        return []
    token = uuid.uuid4()
    if lease(labeler, {row.pk: token for row in rows}) != len(rows):  # locked rows cannot change
        raise LeaseLost("Somebody else took one of these glyphs at the same moment. Ask again.")
    return [as_held(row, token, may_show_guess=False) for row in rows]


@in_turn
def confirm_grid(
    labeler: User,
    *,
    digit: int,
    token: uuid.UUID,
    request_id: uuid.UUID,
    shown: Sequence[uuid.UUID],
    wrong: Sequence[uuid.UUID] = (),
) -> Confirmed:
    """Label the items shown as one batch; those marked as wrong go to review, without a label.

    If any of the leases has ended, nothing changes.
    """
    if done := Batch.objects.filter(pk=request_id).first():
        return answered_before(done, labeler)
    try:
        with transaction.atomic():
            items = spend_leases(labeler, digit, token, shown)
    except LeaseLost:
        # The same request, sent twice at once, ended the leases while this one waited.
        if done := Batch.objects.filter(pk=request_id).first():
            return answered_before(done, labeler)
        raise
    odd = set(wrong)
    right = [item for item in items if item.prediction.public_id not in odd]
    wrong_keys = [item.pk for item in items if item.prediction.public_id in odd]
    batch = Batch.objects.create(
        pk=request_id,
        kind=Batch.Kind.GRID,
        made_by=labeler,
        chosen_by={"digit": digit},
        count=len(right),
    )
    label_as_guessed(right, labeler, batch)
    review_requests.request_review(wrong_keys, batch=batch)
    logger.info("batch %s confirmed %s on the grid", batch.pk, len(right))
    return Confirmed(batch, len(right), len(wrong_keys))


def label_as_guessed(items: Sequence[QueueItem], labeler: User, batch: Batch) -> None:
    """Label the items as their digit; some, by lot, want a second opinion if others label."""
    drawn = [drawn_by_lot() for _ in items]
    is_checked = any(drawn) and others_label(labeler)
    LabelEvent.objects.bulk_create(
        event_for(item, labeler, batch, wants_second=by_lot and is_checked)
        for item, by_lot in zip(items, drawn, strict=True)
    )
    restate_many([item.pk for item in items])


def answered_before(batch: Batch, labeler: User) -> Confirmed:
    if batch.made_by_id != labeler.pk or batch.kind != Batch.Kind.GRID:
        raise Gone("This request id was used for something else. Send it with a new one.")
    return Confirmed(batch, batch.count, Ask.objects.filter(batch=batch).count())


def spend_leases(
    labeler: User, digit: int, token: uuid.UUID, shown: Sequence[uuid.UUID]
) -> list[QueueItem]:
    """End the leases of the items shown; refuse all if one lease is expired or foreign."""
    if not shown:
        raise EmptySelection("Nothing was shown, so there is nothing to confirm.")
    still_held = QueueItem.objects.filter(
        holder=labeler, token=token, leased_until__gt=Now(), is_open=True, digit=digit
    )
    items = list(
        still_held.select_for_update(of=("self",))
        .select_related("prediction")
        .defer("prediction__glyph", "prediction__probabilities")
        .filter(prediction__public_id__in=set(shown))
        .order_by("pk")
    )
    spent = still_held.filter(pk__in=[item.pk for item in items]).update(**NO_LEASE)
    if spent != len(set(shown)):
        raise LeaseLost(
            "Some of these are no longer yours: the hold ran out or moved on. Look at fresh ones."
        )
    return items


def event_for(item: QueueItem, labeler: User, batch: Batch, *, wants_second: bool) -> LabelEvent:
    return LabelEvent(
        prediction_id=item.pk,
        kind=LabelEvent.Kind.LABEL,
        digit=item.digit,
        labeler=labeler,
        stream=item.stream,
        score=item.score,
        selection_probability=item.selection_probability,
        version_id=item.prediction.version_id,
        guess_shown=True,
        wants_second=wants_second,
        batch=batch,
    )


def may_undo(user: User, batch: Batch) -> bool:
    """Labelers may undo their own grids; any other batch needs the right to correct in bulk."""
    own = batch.kind == Batch.Kind.GRID and batch.made_by_id == user.pk
    return own or user.has_perm("labeling.correct_in_bulk")


def undo_grid(user: User, batch_id: uuid.UUID) -> int:
    """Undo a batch; a batch that the user may not undo is reported as not found."""
    batch = Batch.objects.filter(pk=batch_id).first()
    if batch is None or not may_undo(user, batch):
        raise NotThere("There is no such batch of yours.")
    return undo_batch(batch, by=user)


def still_held_grid(labeler: User, token: uuid.UUID) -> QuerySet[QueueItem]:
    """Return the items of a lease, to show them again; none after it has ended."""
    return (
        QueueItem.objects.filter(holder=labeler, token=token, leased_until__gt=Now(), is_open=True)
        .select_related("prediction")
        .defer("prediction__glyph", "prediction__probabilities")
        .order_by("-score", "prediction")[:AT_MOST]
    )
