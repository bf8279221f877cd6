"""The state of the queue, in a few counts."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count
from django.db.models.functions import Now

from labeling.models import Gold, Label, QueueItem, Stream


@dataclass(frozen=True, slots=True)
class QueueState:
    open_by_stream: dict[str, int]  # every stream, also the empty ones
    held: int
    disputed: int
    gold: int


def of_queue() -> QueueState:
    waiting = QueueItem.objects.filter(is_open=True)
    counts = dict(waiting.order_by().values_list("stream").annotate(Count("pk")))
    return QueueState(
        {stream: counts.get(stream, 0) for stream in Stream.values},
        waiting.filter(leased_until__gt=Now()).count(),
        Label.objects.disputed().count(),
        Gold.objects.count(),
    )
