"""Undo everything one labeler decided, as one batch that can itself be undone."""

from __future__ import annotations

import logging

from django.contrib.auth.models import User
from django.db.models import QuerySet

from labeling.batches.batches import append_reversals, restate_touched
from labeling.errors import EmptySelection
from labeling.models import Batch, LabelEvent
from labeling.turns import among_keys, in_turn, lock_items

logger = logging.getLogger(__name__)


def decisions_of(labeler: User) -> QuerySet[LabelEvent]:
    """A person's decisions that are not undone: opinions, gold answers, rulings, corrections."""
    return LabelEvent.objects.of_labeler(labeler.pk).standing()


@in_turn
def withdraw(labeler: User, *, by: User | None) -> Batch:
    """Undo a person's decisions as one batch: labels, queue and agreement are as without them.

    Each decision gets an undo event. Undoing the batch gives each of these undos a redo, and
    everything is as before.
    """
    about = set(decisions_of(labeler).order_by().values_list("prediction", flat=True))
    lock_items(about)
    batch = Batch.objects.create(
        kind=Batch.Kind.WITHDRAWAL, made_by=by, chosen_by={"labeler": labeler.get_username()}
    )
    # Decisions they make meanwhile on other items are not locked, and stay.
    among, keys = among_keys(about)
    decided = f"e.prediction_id {among} AND e.labeler_id = %s AND e.kind NOT IN ('undo', 'redo')"
    batch.count = append_reversals("undo", decided, [keys, labeler.pk], by=by, batch=batch)
    if batch.count == 0:
        raise EmptySelection(f"Nothing that {labeler} decided stands.")
    batch.save(update_fields=["count"])
    restate_touched(batch)
    logger.info("batch %s withdrew %s decisions of user %s", batch.pk, batch.count, labeler.pk)
    return batch


def standing_withdrawals() -> QuerySet[Batch]:
    """Withdrawals that were not undone, newest first."""
    found = Batch.objects.filter(kind=Batch.Kind.WITHDRAWAL, undone_at__isnull=True)
    return found.select_related("made_by").order_by("-made_at")
