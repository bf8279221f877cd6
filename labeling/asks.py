"""Asking for another look at items, and taking that back to the places they had."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from django.db.models import F

from labeling.decisions import place_of
from labeling.models import Ask, Batch, Label, QueueItem, Stream
from labeling.standing import Standing

ITEMS_A_SECOND = 1_000  # a place's share of the clock: keeps the order of one asking
AT_ONCE = 500  # rows updated together


def ask(
    keys: Sequence[int], *, batch: Batch, scores: Mapping[int, float] | None = None
) -> list[Ask]:
    """Put items, locked by the caller, at the front of the review stream in the order given.

    What stands goes on standing; the next opinion confirms it or calls it in question.
    """
    items = QueueItem.objects.only("is_open", "stream", "rank", "review_after").in_bulk(keys)
    labels = Label.objects.in_bulk(keys)
    first = -time.time()  # the newest asking comes first, as in the feedback stream
    asked = []
    for at, key in enumerate(keys):
        item, label = items[key], labels.get(key)
        rank = first + at / ITEMS_A_SECOND
        asked.append(
            Ask(
                prediction_id=key,
                batch=batch,
                score=(scores or {}).get(key),
                digit=label.digit if label else None,
                rank=rank,
                was_rank=item.rank,
                was_review_after=item.review_after,
            )
        )
        item.is_open, item.stream, item.rank = True, Stream.REVIEW, rank
        item.review_after = label.event_id if label else 0
    Ask.objects.bulk_create(asked)
    write(list(items.values()))
    return asked


def take_back(batch: Batch) -> None:
    """Give a batch's items the places they had; what was answered since stays answered."""
    # An item that a later asking has moved again is that asking's to give back.
    as_left = Ask.objects.filter(batch=batch, rank=F("prediction__queue_item__rank"))
    asked = {each.prediction_id: each for each in as_left}
    items = QueueItem.objects.select_for_update().order_by("pk").in_bulk(asked.keys())
    labels = Label.objects.in_bulk(asked.keys())
    for key, item in items.items():
        item.rank, item.review_after = asked[key].was_rank, asked[key].was_review_after
        item.is_open, item.stream = place_of(item, standing_of(labels.get(key)))
    write(list(items.values()))


def standing_of(label: Label | None) -> Standing | None:
    if label is None:
        return None
    return Standing(label.digit, label.is_unreadable, label.state, label.opinions, label.event_id)


def write(items: list[QueueItem]) -> None:
    fields = ["is_open", "stream", "rank", "review_after"]
    QueueItem.objects.bulk_update(items, fields, batch_size=AT_ONCE)
