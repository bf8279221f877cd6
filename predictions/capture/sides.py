"""On which side a drawing stands: learned from, or kept to judge by. Decided once, for ever.

The side hangs on who drew it, so that nobody's drawings stand on both sides: a network that knows
a hand reads that hand's other drawings better than it reads strangers'. Where the drawer is
unknown the glyph decides, so that at least its copies stay together. The share is a constant, not
a setting: changing it would move people who were learned from into the holdout.

Of the people held out one in four *steers*: their drawings choose a run's best epoch and set its
temperature, and never judge. Were the epoch chosen on the drawings that judge, a candidate that is
no better would look better: best of six epochs, it passed the gate in 6 to 12 of 100 simulated
comparisons instead of 2.
"""

from __future__ import annotations

import hashlib
import uuid
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, Protocol

HOLDOUT_ONE_IN = 5  # people
STEERS_ONE_IN = 4  # of those held out


class Side(StrEnum):
    TRAIN = "train"
    HOLDOUT = "holdout"


class Drawn(Protocol):
    """The part of a prediction that decides."""

    @property
    def user_id(self) -> int | None: ...
    @property
    def visitor(self) -> uuid.UUID | None: ...
    @property
    def glyph_digest(self) -> uuid.UUID: ...


class Drawing(NamedTuple):
    """The same, as a query gives it."""

    user_id: int | None
    visitor: uuid.UUID | None
    glyph_digest: uuid.UUID


def side_of(prediction: Drawn) -> Side:
    """The side this drawing stands on, today and always."""
    return side_of_drawer(drawer_of(prediction))


def drawer_of(prediction: Drawn) -> str:
    """Who made it, as well as that is known."""
    if prediction.user_id is not None:
        return f"user {prediction.user_id}"
    if prediction.visitor is not None:
        return f"visitor {prediction.visitor}"
    return f"glyph {prediction.glyph_digest}"


@lru_cache(maxsize=4_096)
def side_of_drawer(drawer: str) -> Side:
    drawn = int.from_bytes(digest_of(drawer)[:8], "big") % HOLDOUT_ONE_IN
    return Side.HOLDOUT if drawn == 0 else Side.TRAIN


def steers(prediction: Drawn) -> bool:
    """It is held out, and may choose among the epochs of a run; then it must not judge."""
    return side_of(prediction) is Side.HOLDOUT and drawer_steers(drawer_of(prediction))


@lru_cache(maxsize=4_096)
def drawer_steers(drawer: str) -> bool:
    return int.from_bytes(digest_of(drawer)[8:16], "big") % STEERS_ONE_IN == 0


def judges(prediction: Drawn) -> bool:
    """It is held out, and neither teaches nor steers."""
    return side_of(prediction) is Side.HOLDOUT and not steers(prediction)


def teaching_visitor() -> uuid.UUID:
    """A new visitor whose drawings are learned from."""
    while True:
        visitor = uuid.uuid4()
        if side_of_drawer(f"visitor {visitor}") is Side.TRAIN:
            return visitor


def digest_of(drawer: str) -> bytes:
    """Salted so that the first account teaches: it may be the only one there will ever be."""
    return hashlib.sha256(f"side of {drawer}".encode()).digest()
