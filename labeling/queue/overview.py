"""The state of the queue, in a few counts."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Count
from django.db.models.functions import Now

from labeling.models import Gold, Label, QueueItem, Stream
from predictions.models import Owner


@dataclass(frozen=True, slots=True)
class QueueState:
    open_by_stream: dict[str, int]  # every stream, also the empty ones
    held: int
    disputed: int
    gold: int


def audits_for_others(labeler: User, visitor: UUID | None) -> int:
    """How many audits wait, if this person drew all of them; nobody gets their own."""
    waiting = QueueItem.objects.filter(is_open=True, origin=Stream.AUDIT)
    keys = {Owner(user_id=labeler.pk).key, Owner(visitor=visitor).key} - {""}
    own = waiting.filter(owner_key__in=keys)
    return 0 if waiting.exclude(owner_key__in=keys).exists() else own.count()


def of_queue() -> QueueState:
    waiting = QueueItem.objects.filter(is_open=True)
    counts = dict(waiting.order_by().values_list("stream").annotate(Count("pk")))
    return QueueState(
        {stream: counts.get(stream, 0) for stream in Stream.values},
        waiting.filter(leased_until__gt=Now()).count(),
        Label.objects.disputed().count(),
        Gold.objects.count(),
    )
