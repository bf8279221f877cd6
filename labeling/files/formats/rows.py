"""What all formats share: the labels they write, and the items they read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from labeling.decisions.decisions import Answer
from predictions.capture.capture import Picture
from predictions.errors import Declined

UNREADABLE: Final = "unreadable"
UNLABELED: Final = "unlabeled"
DIGITS: Final = {str(digit): digit for digit in range(10)}


class BadFile(Declined):
    """The file is damaged, too large, or of another format."""

    code = "bad_file"


class Labeled(NamedTuple):
    """A settled label with its glyph, for an export."""

    id: UUID
    digit: int | None  # None: unreadable
    glyph: bytes  # PNG
    predicted: int
    confidence: float
    model: str
    drawn_at: datetime
    labeled_at: datetime
    is_audit: bool  # drawn at random, never trained on

    @property
    def value(self) -> str:
        return UNREADABLE if self.digit is None else str(self.digit)


@dataclass(frozen=True, slots=True)
class FoundImage:
    """One image of an import, with its label if the file has one."""

    name: str  # its file, or its place in a file
    picture: Picture | None  # None if `prediction` names an existing one
    verdict: Answer | None = None  # None: not labeled
    prediction: UUID | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """An item that cannot be imported, and why."""

    name: str
    why: str


Items = Iterator[FoundImage | Refused]


def readable(name: str) -> str:
    """Replace the characters of a name that cannot be printed or that move a cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def verdict_called(name: str) -> Answer | None:
    """Return the verdict that a folder, a cell or a choice names; None for "unlabeled".

    Raises KeyError for any other name.
    """
    name = name.strip().lower()
    if name == UNLABELED:
        return None
    return Answer(None if name == UNREADABLE else DIGITS[name])
