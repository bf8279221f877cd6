"""Recompute labels and queue places from the events, and report or repair differences.

Events are the truth; labels and places are stored for speed. Only a change from outside can make
them differ, such as a restored dump or SQL by hand.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from labeling.batches.batches import events_by_item
from labeling.decisions.decisions import write_labels
from labeling.models import Label, QueueItem
from labeling.queue.places import misplaced, standing_of, write_places
from labeling.standing import Standing, standing
from labeling.turns import in_turn, lock_items

logger = logging.getLogger(__name__)
AT_ONCE = 2_000  # items compared together


@dataclass(slots=True)
class Differences:
    """How many items were compared, and the keys of those whose rows differ from their events."""

    looked_at: int = 0
    labels: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.labels) + len(self.places)


def rebuild_labels(
    *, mend: bool = True, progress: Callable[[int], object] = lambda count: None
) -> Differences:
    """Compare every item with its events; repair the differences if `mend` is set."""
    found = Differences()
    last = 0
    while keys := list(
        QueueItem.objects.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:AT_ONCE]
    ):
        compare_items(keys, found, mend=mend)
        found.looked_at += len(keys)
        progress(len(keys))
        last = keys[-1]
    if found and mend:
        logger.warning("%s labels and %s places mended", len(found.labels), len(found.places))
    return found


@in_turn
def compare_items(keys: list[int], found: Differences, *, mend: bool) -> None:
    if mend:
        lock_items(keys)
    items = QueueItem.objects.in_bulk(keys)
    events = events_by_item(keys)
    labels = Label.objects.in_bulk(keys)
    stands = {key: standing(events.get(key, [])) for key in keys}
    wrong = [key for key in keys if differs(labels.get(key), stands[key])]
    moved = misplaced(items.values(), stands)
    found.places += [item.pk for item in moved]
    found.labels += wrong
    if mend:
        write_labels({key: stands[key] for key in wrong})
        write_places(moved)


def differs(label: Label | None, stands: Standing | None) -> bool:
    if label is None or stands is None:
        return (label is None) != (stands is None)
    return standing_of(label) != stands
