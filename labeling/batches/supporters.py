"""Who stands behind a label: everybody on whose word it rests, not only who spoke last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from django.db.models import Q

from labeling.batches.batches import AT_ONCE, chunks
from labeling.models import Label, LabelEvent
from labeling.standing import REVERSALS, Past, Said, Standing, behind, standing, vote_of


def items_resting_on(labelers: Iterable[int], visitors: Iterable[str | UUID]) -> set[int]:
    """The items whose label, as it stands now, rests on what one of these people decided."""
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
        if any(event.labeler_id in who or event.visitor in which for event in behind(events))
    }


def others_behind(labels: Sequence[Label]) -> dict[int, list[int]]:
    """By item, the events beside its last on which a label rests; one a person.

    It is the labels as they were read that count. Where something was said or taken back since,
    everybody who had said the same stands behind it: better one too many than one forgotten.
    """
    read = {label.pk: label for label in labels}
    found = {}
    for key, events in histories(read):
        label = read[key]
        stood = Standing(
            label.digit, label.is_unreadable, label.state, label.opinions, label.event_id
        )
        backing = behind(events) if standing(events) == stood else said_by_then(label, events)
        # The last of each: whoever ruled and confirmed the ruling later is one person.
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
    """Everything said about each of these items, oldest first; one query for many of them."""
    for some in chunks(sorted(keys), AT_ONCE):
        by_item: dict[int, list[Past]] = defaultdict(list)
        for event in LabelEvent.objects.filter(prediction__in=some).past():
            by_item[event.prediction_id].append(event)
        yield from by_item.items()
