"""Priorities: items that a higher app wants labeled sooner. A labeler is not told which."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from labeling.models import QueueItem, Wanted

AT_MOST = 2_000


@transaction.atomic
def want(keys: Sequence[int]) -> int:
    """Replace all priorities by these predictions, in this order; return how many are open."""
    open_keys = set(
        QueueItem.objects.filter(pk__in=keys[:AT_MOST], is_open=True).values_list("pk", flat=True)
    )
    wanted = [
        Wanted(prediction_id=key, rank=rank)
        for rank, key in enumerate(keys[:AT_MOST])
        if key in open_keys
    ]
    Wanted.objects.all().delete()
    wanted.sort(key=lambda wish: wish.prediction_id)  # by key, since no item is locked: see `turns`
    Wanted.objects.bulk_create(wanted, batch_size=500, ignore_conflicts=True)
    return len(wanted)
