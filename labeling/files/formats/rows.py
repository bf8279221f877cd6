"""What formats have in common: what an export hands them, and what they find in a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from labeling.decisions.decisions import Verdict
from predictions.capture.capture import Picture
from predictions.errors import Declined

UNREADABLE: Final = "unreadable"
UNLABELED: Final = "unlabeled"
DIGITS: Final = {str(digit): digit for digit in range(10)}


class BadFile(Declined):
    """The file is not what it is said to be."""

    code = "bad_file"


class Labeled(NamedTuple):
    """A settled label with its glyph, on the way out."""

    id: UUID
    digit: int | None  # None: unreadable
    glyph: bytes  # PNG
    predicted: int
    confidence: float
    model: str
    drawn_at: datetime
    labeled_at: datetime
    is_held_out: bool  # nothing here learns from it: an audit, or by somebody who is held out

    @property
    def value(self) -> str:
        return UNREADABLE if self.digit is None else str(self.digit)


@dataclass(frozen=True, slots=True)
class Found:
    """One image on the way in, with what it is if the file says so."""

    name: str  # the file it is, or its place in one
    picture: Picture | None  # None where `prediction` names one that is here
    verdict: Verdict | None = None  # None: not labeled
    prediction: UUID | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """What could not be taken in, and why."""

    name: str
    why: str


Items = Iterator[Found | Refused]


def readable(name: str) -> str:
    """A name as it can be stored and shown: no letter in it moves a cursor or is none at all."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def verdict_called(name: str) -> Verdict | None:
    """The verdict of a folder, a cell or a choice called so; None for "unlabeled".

    Raises KeyError for any other name.
    """
    name = name.strip().lower()
    if name == UNLABELED:
        return None
    return Verdict(None if name == UNREADABLE else DIGITS[name])
