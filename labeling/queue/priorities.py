"""Items that are wanted sooner: by whom and why is their business, the rows are ours."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from labeling.models import QueueItem, Wanted

AT_MOST = 2_000


@transaction.atomic
def want(keys: Sequence[int], *, why: str) -> int:
    """From now on these predictions, the first of them first, and no others; how many are open."""
    open_keys = set(
        QueueItem.objects.filter(pk__in=keys[:AT_MOST], is_open=True).values_list("pk", flat=True)
    )
    wanted = [
        Wanted(prediction_id=key, rank=rank, why=why)
        for rank, key in enumerate(keys[:AT_MOST])
        if key in open_keys
    ]
    Wanted.objects.all().delete()
    wanted.sort(key=lambda wish: wish.prediction_id)  # no item is locked: see `turns`
    Wanted.objects.bulk_create(wanted, batch_size=500, ignore_conflicts=True)
    return len(wanted)
