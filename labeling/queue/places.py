"""Where an item belongs in the queue. Everything that opens, closes or moves items asks here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from labeling.models import Label, QueueItem, Stream
from labeling.standing import Standing

NO_LEASE: dict[str, Any] = {"holder": None, "token": None, "leased_until": None}
PLACE = ["origin", "stream", "is_open", "is_parked", "review_after"]


def place_of(item: QueueItem, stands: Standing | None) -> tuple[bool, str]:
    """Compute the item's place from its current label, not its history: an undo leaves no trace."""
    if item.review_after == (stands.event_id if stands else 0):
        return True, Stream.REVIEW  # no decision since the request for another look
    if stands is None:
        return not item.is_parked, item.origin
    if stands.state == Label.State.AWAITING:
        return True, Stream.SECOND
    return False, item.origin


def misplaced(items: Iterable[QueueItem], stands: Mapping[int, Standing | None]) -> list[QueueItem]:
    """Set each item's place by its label, unsaved; return the items that were elsewhere."""
    moved = []
    for item in items:
        place = place_of(item, stands.get(item.pk))
        if place != (item.is_open, item.stream):
            item.is_open, item.stream = place
            moved.append(item)
    return moved


def write_places(items: Iterable[QueueItem], *, end_leases: bool = False) -> None:
    """Save places. A lease ends with its item's closing; `end_leases` ends those of open items."""
    by_place: dict[tuple[bool, str], list[int]] = defaultdict(list)
    for item in items:
        by_place[item.is_open, item.stream].append(item.pk)
    for (is_open, stream), keys in by_place.items():
        ended = NO_LEASE if end_leases or not is_open else {}
        QueueItem.objects.filter(pk__in=keys).update(is_open=is_open, stream=stream, **ended)


def put_where_they_belong(keys: list[int]) -> None:
    """Place items by their labels, after something else about the items has changed."""
    stands = {key: standing_of(label) for key, label in Label.objects.in_bulk(keys).items()}
    items = QueueItem.objects.filter(pk__in=keys).only(*PLACE).order_by("pk")
    write_places(misplaced(items, stands))


def standing_of(label: Label | None) -> Standing | None:
    if label is None:
        return None
    return Standing(label.digit, label.is_unreadable, label.state, label.opinions, label.event_id)
