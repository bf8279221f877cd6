"""The people whose decisions support a label, not only the last of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from django.db.models import Q

from labeling.batches.batches import AT_ONCE
from labeling.models import Label, LabelEvent
from labeling.queue.places import standing_of
from labeling.standing import REVERSALS, Past, Said, standing, supporting_events, vote_of
from predictions.database.slices import chunks


def items_resting_on(labelers: Iterable[int], visitors: Iterable[str | UUID]) -> set[int]:
    """Return the items whose current label is supported by a decision of one of these people."""
    who, which = set(labelers), {UUID(str(visitor)) for visitor in visitors}
    said = (
        LabelEvent.objects.filter(Q(labeler__in=who) | Q(visitor__in=which))
        .filter(is_gold=False)
        .exclude(kind__in=REVERSALS)
    )
    keys = set(said.order_by().values_list("prediction", flat=True))
    return {
        key
        for key, events in histories(keys)
        if any(
            event.labeler_id in who or event.visitor in which for event in supporting_events(events)
        )
    }


def others_behind(labels: Sequence[Label]) -> dict[int, list[int]]:
    """Return by item the events that support a label, without its last one; one per person.

    The labels count as they were read. If an item's events have changed since, everybody who had
    given the same answer counts: one person too many is better than one too few.
    """
    read = {label.pk: label for label in labels}
    found = {}
    for key, events in histories(read):
        label = read[key]
        is_current = standing(events) == standing_of(label)
        backing = supporting_events(events) if is_current else said_by_then(label, events)
        # Keep the last event of each person: one may rule and confirm it later.
        last = {(event.labeler_id, event.visitor): event.pk for event in backing}
        if others := sorted(set(last.values()) - {label.event_id}):
            found[key] = others
    return found


def said_by_then(label: Label, events: Iterable[Past]) -> list[Said]:
    return [
        event
        for event in events
        if event.kind not in REVERSALS
        and not event.is_gold
        and event.pk <= label.event_id
        and vote_of(event) == (label.digit, label.is_unreadable)
    ]


def histories(keys: Iterable[int]) -> Iterator[tuple[int, list[Past]]]:
    """Yield these items with their events, oldest first; one query for AT_ONCE items."""
    for some in chunks(sorted(keys), AT_ONCE):
        by_item: dict[int, list[Past]] = defaultdict(list)
        for event in LabelEvent.objects.filter(prediction__in=some).past():
            by_item[event.prediction_id].append(event)
        yield from by_item.items()
