"""What each label event did, given the item's earlier events. Pure; no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Final, NamedTuple
from uuid import UUID

from labeling.standing import Past, Said, Standing, standing, unreversed, vote_of

ACTS: Final = (
    "first",  # an opinion on an item without a label by others
    "agrees",  # an opinion equal to the label by others
    "differs",  # an opinion that differs from the label by others
    "rulings",
    "corrections",
    "undos",
    "gold",
    # Changes by the event, each +1, 0 or -1: their sum is the current number.
    "labeled",
    "settled",
    "wrong",  # the label is another digit than the one the model read
)
# A redo is the undo of an undo.
ACT_OF_KIND = {"settle": "rulings", "correct": "corrections", "undo": "undos", "redo": "undos"}


class CountedEvent(NamedTuple):
    """The columns of a label event that counting needs."""

    pk: int
    kind: str
    digit: int | None
    is_unreadable: bool
    labeler_id: int | None
    visitor: UUID | str | None
    wants_second: bool
    is_gold: bool
    reverses_id: int | None
    prediction_id: int
    stream: str
    created_at: datetime


def stands_after(events: Sequence[Said]) -> Standing | None:
    """The label that follows from the events; cached for items with one event, which most are."""
    if len(events) != 1:
        return standing(events) if events else None
    (only,) = events
    found = stands_alone(only.kind, only.digit, only.is_unreadable, only.wants_second, only.is_gold)
    return found and replace(found, event_id=only.pk)


@cache
def stands_alone(
    kind: str, digit: int | None, is_unreadable: bool, wants_second: bool, is_gold: bool
) -> Standing | None:
    past = Past(0, kind, digit, is_unreadable, None, None, wants_second, is_gold, None, 0, None)
    return standing([past])


def act_of(event: CountedEvent, before: Sequence[CountedEvent]) -> str:
    """Which of ACTS the event is, given the item's earlier events."""
    if event.is_gold:
        return "gold"
    if event.kind in ACT_OF_KIND:
        return ACT_OF_KIND[event.kind]
    if not before:
        return "first"
    speaker = (event.labeler_id, event.visitor)
    others = [each for each in unreversed(before) if (each.labeler_id, each.visitor) != speaker]
    stood = stands_after(others)
    if stood is None:
        return "first"
    return "agrees" if vote_of(event) == (stood.digit, stood.is_unreadable) else "differs"


def changes(
    before: Standing | None, stands: Standing | None, predicted: int
) -> tuple[int, int, int]:
    """The change in labeled, settled and wrong: +1, 0 or -1 each."""
    was, now = state_of(before, predicted), state_of(stands, predicted)
    return now[0] - was[0], now[1] - was[1], now[2] - was[2]


def state_of(stands: Standing | None, predicted: int) -> tuple[int, int, int]:
    if stands is None:
        return 0, 0, 0
    is_wrong = not stands.is_unreadable and stands.digit != predicted
    return 1, int(stands.state == "settled"), int(is_wrong)
