"""Which of the items that a labeler may get are handed out, and in which order. No database."""

from __future__ import annotations

import random
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.conf import settings

from labeling.models import Stream
from labeling.queue.held import MARK, Held, new_token

WANTED_SHARE = 0.5  # share chosen by priority, if items have any; QUEUE_MIX decides the rest
OTHERS_ARE_ONE_OF = 4  # items, where those with priority come first


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item that the labeler holds already or may get."""

    prediction_id: int
    public_id: uuid.UUID
    glyph: bytes
    guess: int
    stream: str
    is_audit: bool
    owner_key: str
    is_own: bool = False
    is_gold: bool = False
    token: uuid.UUID | None = None  # of its current or last lease
    wish_rank: float | None = None  # order among the priorities, smallest first; None without

    def token_for(self, page: uuid.UUID | None) -> uuid.UUID:
        """Keep the token if this page holds the lease; otherwise a new one ends the old lease."""
        if page and self.is_own and self.token and self.token.bytes[:MARK] == page.bytes[:MARK]:
            return self.token
        return new_token(page)

    def held(self, token: uuid.UUID, *, may_show_guess: bool) -> Held:
        return Held(
            self.prediction_id,
            self.public_id,
            self.glyph,
            self.guess,
            self.stream,
            self.is_audit,
            token,
            may_show_guess,
        )


def hand_out(
    rows: list[Candidate],
    count: int,
    holding: Sequence[uuid.UUID],
    dice: random.Random,
    *,
    priority_first: bool,
) -> tuple[list[Candidate], list[Candidate]]:
    """The items to lease, in order, and the gold items to show among them; together `count`.

    `holding` lists the items that the page shows, in order.
    """
    fresh = [row for row in rows if row.public_id not in set(holding)]
    last = [row for row in rows if row.public_id in holding[-1:]]
    known = [row for row in fresh if row.is_gold]
    unknown = [row for row in fresh if not row.is_gold]
    others = places_of_others(count, len(known), dice) if priority_first else None
    chosen = choose_items(unknown, count, dice, last, others)
    known = known if chosen else []
    return chosen[: count - len(known)], known


def places_of_others(count: int, known: int, dice: random.Random) -> set[int]:
    """The places for items without priority, one of four; the `known` items count among them."""
    others = count // OTHERS_ARE_ONE_OF or int(dice.random() < count / OTHERS_ARE_ONE_OF)
    return set(dice.sample(range(count - known), max(0, others - known)))


def choose_items(
    rows: list[Candidate],
    count: int,
    dice: random.Random,
    last: Sequence[Candidate] = (),
    others: Collection[int] | None = None,
) -> list[Candidate]:
    """Choose own leases first; then draw streams by QUEUE_MIX, in order within each stream.

    Half of the draws take the first item with priority instead, if there is any; all of them but
    at the places of `others`, if these are given. Two items of one writer in a row are avoided.
    `last` is the item shown just before these, if any.
    """
    chosen = [row for row in rows if row.is_own][:count]
    waiting = [row for row in rows if not row.is_own and settings.QUEUE_MIX[row.stream] > 0]
    while len(chosen) < count and waiting:
        row = next_of(drawn_from(waiting, len(chosen), others, dice), chosen[-1:] or last)
        waiting.remove(row)
        chosen.append(row)
    return chosen


def drawn_from(
    waiting: list[Candidate], place: int, others: Collection[int] | None, dice: random.Random
) -> list[Candidate]:
    """The items that the one at this place is taken from, in order."""
    wanted = by_priority(waiting)
    if wanted and takes_priority(place, others, dice):
        return wanted
    return of_one_stream(waiting, dice)


def by_priority(rows: list[Candidate]) -> list[Candidate]:
    ranked = [(row.wish_rank, row) for row in rows if row.wish_rank is not None]
    return [row for _, row in sorted(ranked, key=lambda pair: pair[0])]


def takes_priority(place: int, others: Collection[int] | None, dice: random.Random) -> bool:
    return dice.random() < WANTED_SHARE if others is None else place not in others


def of_one_stream(rows: list[Candidate], dice: random.Random) -> list[Candidate]:
    """Draw a stream by QUEUE_MIX, among those that have items."""
    having = {row.stream for row in rows}
    streams = [stream for stream in Stream.values if stream in having]
    weights = [settings.QUEUE_MIX[stream] for stream in streams]
    (stream,) = dice.choices(streams, weights=weights)
    return [row for row in rows if row.stream == stream]


def next_of(waiting: list[Candidate], last: Sequence[Candidate]) -> Candidate:
    """The first item, or the second if only the first is by the writer of the last one."""
    for row in waiting[:2]:
        if not last or not row.owner_key or row.owner_key != last[0].owner_key:
            return row
    return waiting[0]
