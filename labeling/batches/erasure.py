"""Erase drawings for good: on their author's request, or when nobody labeled them in time.

Label events stay, and with them labels, snapshots and the lineage of versions, because versions
have learned from them. Everything that shows a drawing or identifies its author is deleted. Events
from a visitor's feedback get a new random visitor id, so that two visitors do not become one
opinion. An erased drawing leaves the queue and gold, and is no longer trained on or evaluated.
"""

from __future__ import annotations

import logging
import time
import uuid
from datetime import timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from labeling.models import Arrival, Gold, LabelEvent, Note, QueueItem
from labeling.turns import in_turn, lock_items
from predictions.api.idempotency import forget_answers
from predictions.capture.erasure import erase_pictures, forget_speaker
from predictions.models import Owner, Prediction

logger = logging.getLogger(__name__)

AT_ONCE = 500  # drawings in one transaction
LONGEST = 200.0  # seconds per night; the next night continues


def erase_owner(owner: Owner) -> int:
    """Erase an owner's drawings and unlink their feedback; return the number of drawings."""
    erased = erase(Prediction.objects.owned_by(owner).pictured())
    forget_word_of(owner)
    forget_answers(owner)
    logger.info("%s drawings erased on request", erased)
    return erased


@in_turn
def forget_word_of(owner: Owner) -> None:
    """Keep an owner's feedback on other people's drawings, without their id or with a new one."""
    if owner.visitor is not None:
        said = LabelEvent.objects.filter(visitor=owner.visitor)
        # Lock the items, so that no label made meanwhile counts one visitor as two.
        lock_items(said.values_list("prediction", flat=True))
        said.update(visitor=uuid.uuid4())
    forget_speaker(owner)


def erase_unlabeled() -> int | None:
    """Erase visitors' drawings not labeled within RETENTION_DAYS; None if that is not set."""
    if not settings.RETENTION_DAYS:
        return None
    erased = erase(overdue(), seconds=LONGEST)
    logger.info("%s drawings erased: unlabeled for %s days", erased, settings.RETENTION_DAYS)
    return erased


def overdue(*, days: int | None = None) -> QuerySet[Prediction]:
    """Visitors' drawings that should be erased by now."""
    kept = settings.RETENTION_DAYS if days is None else days
    last = timezone.localdate() - timedelta(days=kept)
    return Prediction.objects.pictured().filter(day__lt=last, user__isnull=True, label__isnull=True)


def erase(chosen: QuerySet[Prediction], *, seconds: float = float("inf")) -> int:
    """Erase in parts, so that locks are short, for at most `seconds`; return how many."""
    until, erased, last = time.monotonic() + seconds, 0, 0
    while time.monotonic() < until:
        rows = chosen.filter(pk__gt=last).order_by("pk")
        keys = list(rows.values_list("pk", flat=True)[:AT_ONCE])
        if not keys:
            break
        erased += erase_some(keys)
        last = keys[-1]
    return erased


@in_turn
def erase_some(keys: list[int]) -> int:
    lock_items(keys)
    QueueItem.objects.filter(pk__in=keys).delete()
    Gold.objects.filter(pk__in=keys).delete()
    Arrival.objects.filter(pk__in=keys).delete()  # a file name may identify somebody
    Note.objects.filter(prediction__in=keys).delete()  # so may what somebody wrote about it
    events = LabelEvent.objects.filter(prediction__in=keys, visitor__isnull=False)
    for visitor in set(events.values_list("visitor", flat=True)):
        events.filter(visitor=visitor).update(visitor=uuid.uuid4())
    return erase_pictures(keys)
