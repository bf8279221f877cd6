"""What a labeler holds: an item, the token of its lease, and whether the guess may be shown."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass

from labeling.models import QueueItem, Stream

ANOTHER_LOOK = {Stream.SECOND, Stream.REVIEW}
# What labelers are told of every item: who knew that it is an audit would judge otherwise.
HIDDEN, WHY = "hidden", "it is its turn"
MARK = 6  # first bytes of a token, which name the page; the rest cannot be guessed


@dataclass(frozen=True, slots=True)
class Held:
    """An item given to a labeler, with everything needed to show it."""

    prediction_id: int
    public_id: uuid.UUID
    glyph: bytes
    guess: int
    stream: str
    is_audit: bool
    token: uuid.UUID
    may_show_guess: bool

    @property
    def shown_guess(self) -> int | None:
        """The guess, if guesses are shown now; never for audits and second looks."""
        is_blind = self.is_audit or self.stream in ANOTHER_LOOK
        return self.guess if self.may_show_guess and not is_blind else None


def as_held(item: QueueItem, token: uuid.UUID, *, may_show_guess: bool) -> Held:
    drawn = item.prediction
    return Held(
        item.pk,
        drawn.public_id,
        bytes(drawn.glyph),
        drawn.digit,
        item.stream,
        drawn.is_audit,
        token,
        may_show_guess,
    )


def new_token(page: uuid.UUID | None = None, rest: bytes = b"") -> uuid.UUID:
    """Make a token that begins with the page's mark; random, or repeatable if `rest` is given."""
    mark = page.bytes[:MARK] if page else b""
    return uuid.UUID(bytes=(mark + (rest or os.urandom(16)))[:16], version=4)
