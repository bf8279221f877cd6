"""The train/validation/test split of drawings. The side of a drawing never changes.

The split is by author, so that no author is on two sides: a network reads authors from its
training data better than strangers. If the author is unknown, the glyph decides, so that equal
glyphs stay together. The shares are constants, not settings: changing them would move authors from
the training side to the holdout.

One author in five is held out. One in four of these is the validation set (`steers`): it chooses a
run's best epoch and sets its temperature. The others are the test set (`judges`), on which the gate
compares versions. See docs/decisions/2026-11-21-validation-split-never-tests.md.
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
    """The fields of a prediction that decide its side."""

    @property
    def user_id(self) -> int | None: ...
    @property
    def visitor(self) -> uuid.UUID | None: ...
    @property
    def glyph_digest(self) -> uuid.UUID: ...


class Drawing(NamedTuple):
    """The same fields, as a query returns them."""

    user_id: int | None
    visitor: uuid.UUID | None
    glyph_digest: uuid.UUID


def side_of(prediction: Drawn) -> Side:
    """Return the side of a drawing; it never changes."""
    return side_of_drawer(author_of(prediction))


def author_of(prediction: Drawn) -> str:
    """Return the author: the user, else the visitor, else the glyph."""
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
    """Whether it is in the validation set, which chooses a run's best epoch and never judges."""
    return side_of(prediction) is Side.HOLDOUT and drawer_steers(author_of(prediction))


@lru_cache(maxsize=4_096)
def drawer_steers(drawer: str) -> bool:
    return int.from_bytes(digest_of(drawer)[8:16], "big") % STEERS_ONE_IN == 0


def judges(prediction: Drawn) -> bool:
    """Whether it is in the test set: held out, and not in the validation set."""
    return side_of(prediction) is Side.HOLDOUT and not steers(prediction)


def teaching_visitor() -> uuid.UUID:
    """Return a new visitor id that is on the training side."""
    while True:
        visitor = uuid.uuid4()
        if side_of_drawer(f"visitor {visitor}") is Side.TRAIN:
            return visitor


def digest_of(drawer: str) -> bytes:
    """Hash an author; the salt puts the first account, which may be the only one, in training."""
    return hashlib.sha256(f"side of {drawer}".encode()).digest()
