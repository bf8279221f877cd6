"""Compute an item's current label from its events. Pure functions, no database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from uuid import UUID

REVERSALS = ("undo", "redo")  # kinds of events that only reverse another event


class Said(Protocol):
    """The fields of a label event that the rule reads."""

    @property
    def pk(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def digit(self) -> int | None: ...
    @property
    def is_unreadable(self) -> bool: ...
    @property
    def labeler_id(self) -> int | None: ...
    @property
    def visitor(self) -> object: ...
    @property
    def wants_second(self) -> bool: ...
    @property
    def is_gold(self) -> bool: ...
    @property
    def reverses_id(self) -> int | None: ...


class Past(NamedTuple):
    """The fields of an event that rules and verbs read; loading model rows is ten times slower."""

    pk: int
    kind: str
    digit: int | None
    is_unreadable: bool
    labeler_id: int | None
    visitor: UUID | None
    wants_second: bool
    is_gold: bool
    reverses_id: int | None
    prediction_id: int
    request_id: UUID | None

    @property
    def value(self) -> str:
        return "unreadable" if self.is_unreadable else str(self.digit)


@dataclass(frozen=True, slots=True)
class Standing:
    """What an item's label is, and whether it is settled."""

    digit: int | None
    is_unreadable: bool
    state: str  # a Label.State
    opinions: int
    event_id: int  # the last event that still counts


def standing(events: Iterable[Said]) -> Standing | None:
    """Return the label after these events (oldest first); None if no decision is left."""
    live = unreversed(events)
    ruling = last_ruling(live)
    if ruling is not None:
        return ruled(ruling, opinions_after(live, ruling), total=count_opinions(live))
    return voted(latest_of_each(live))


def supporting_events(events: Iterable[Said]) -> list[Said]:
    """Return the decisions that support the current label, oldest first: they have its value.

    After a ruling, only the ruling and later opinions count.
    """
    live = unreversed(events)
    stands = standing(live)
    if stands is None:
        return []
    ruling = last_ruling(live)
    counts = latest_of_each(live)
    if ruling is not None:
        counts = [ruling, *opinions_after(live, ruling)]
    value = (stands.digit, stands.is_unreadable)
    return [event for event in counts if vote_of(event) == value]


def last_ruling(events: Iterable[Said]) -> Said | None:
    """Return the last ruling of a reviewer or admin; the events must not be reversed."""
    rulings = [event for event in events if event.kind in {"settle", "correct"}]
    return rulings[-1] if rulings else None


def unreversed(events: Iterable[Said]) -> list[Said]:
    events = list(events)
    reversed_ids = reversed_by(events)
    return [
        event
        for event in events
        if event.kind not in REVERSALS and event.pk not in reversed_ids and not event.is_gold
    ]


def reversed_by(events: Iterable[Said]) -> set[int | None]:
    """Return the ids of the events that are undone and not redone."""
    events = list(events)
    redone = {event.reverses_id for event in events if event.kind == "redo"}
    return {
        event.reverses_id for event in events if event.kind == "undo" and event.pk not in redone
    }


def latest_of_each(events: Sequence[Said]) -> list[Said]:
    """Keep one opinion per person: the latest."""
    latest = {(event.labeler_id, event.visitor): event for event in events if is_opinion(event)}
    return sorted(latest.values(), key=lambda event: event.pk)


def is_opinion(event: Said) -> bool:
    return event.kind == "label"


def count_opinions(events: Sequence[Said]) -> int:
    return len(latest_of_each(events))


def opinions_after(events: Sequence[Said], ruling: Said) -> list[Said]:
    return latest_of_each([event for event in events if event.pk > ruling.pk])


def ruled(ruling: Said, later: Sequence[Said], *, total: int) -> Standing:
    """Keep the ruling's value. A later opinion with another value makes the label disputed."""
    contradicted = any(vote_of(event) != vote_of(ruling) for event in later)
    state = "disputed" if contradicted else "settled"
    last = later[-1] if later else ruling
    return Standing(ruling.digit, ruling.is_unreadable, state, total, last.pk)


def voted(opinions: Sequence[Said]) -> Standing | None:
    """Count votes. One opinion is enough unless a second is requested; a conflict needs a third."""
    if not opinions:
        return None
    votes = Counter(vote_of(event) for event in opinions)
    (digit, is_unreadable), most = votes.most_common(1)[0]
    state = state_of_votes(opinions, votes, most)
    return Standing(digit, is_unreadable, state, len(opinions), opinions[-1].pk)


def state_of_votes(
    opinions: Sequence[Said], votes: Counter[tuple[int | None, bool]], most: int
) -> str:
    if len(votes) == 1:
        needed = 2 if any(event.wants_second for event in opinions) else 1
        return "settled" if most >= needed else "awaiting"
    if len(opinions) < 3:
        return "awaiting"
    return "settled" if most * 2 > len(opinions) else "disputed"


def vote_of(event: Said) -> tuple[int | None, bool]:
    return event.digit, event.is_unreadable
