"""Predictions from imports. Undoing an import hides them; predictions are never deleted."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from labeling.models import Arrival, Batch, QueueItem
from labeling.queue.places import put_where_they_belong
from predictions.database.slices import chunks

LONGEST_NAME = 200  # characters
AT_ONCE = 2_000  # items placed together


def note_arrivals(names: Mapping[int, str], *, batch: Batch) -> None:
    """Record the batch these predictions came with, and the place of each in the file."""
    Arrival.objects.bulk_create(
        Arrival(prediction_id=key, batch=batch, name=name[-LONGEST_NAME:])
        for key, name in names.items()
    )


def hide_imported(batch: Batch) -> None:
    """Hide a batch's predictions from the queue; decisions about them stay."""
    brought = QueueItem.objects.filter(prediction__arrival__batch=batch)
    brought.filter(prediction__label=None).update(review_after=None)
    brought.update(is_parked=True)
    for some in chunks(brought.order_by("pk").values_list("pk", flat=True), AT_ONCE):
        put_where_they_belong(some)


def aside(keys: Collection[int]) -> list[int]:
    """Return those of these items that came with an import that was undone."""
    found = Arrival.objects.filter(pk__in=keys, batch__undone_at__isnull=False)
    return list(found.order_by("pk").values_list("pk", flat=True))


def bring_back(keys: Collection[int], *, batch: Batch) -> None:
    """Put these items back into the queue: another import, `batch`, contains them too."""
    items = QueueItem.objects.filter(pk__in=keys, prediction__gold=None)
    items.update(is_parked=False)
    for some in chunks(items.order_by("pk").values_list("pk", flat=True), AT_ONCE):
        put_where_they_belong(some)
    Arrival.objects.filter(pk__in=keys).update(batch=batch)
