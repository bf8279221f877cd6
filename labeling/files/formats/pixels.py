"""Images as plain pixels, 28×28 bytes each: what IDX, npz and CSV files hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import BinaryIO, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from labeling.decisions.decisions import Answer
from labeling.files.formats.archive import BROKEN
from labeling.files.formats.rows import FoundImage, Items, Labeled, Refused
from predictions.glyphs.glyph import SIDE, decode_glyph

SIZE: Final = SIDE * SIDE  # bytes of an image
AT_ONCE: Final = 256  # images read together

Pixels = NDArray[np.uint8]


class Readable(Protocol):
    """A stream of bytes, wherever it comes from."""

    def read(self, size: int = ..., /) -> bytes: ...


@dataclass(slots=True)
class Spool:
    """Temporary files of pixels, digits and ids: headers need the count, known only at the end."""

    images: BinaryIO
    digits: BinaryIO
    ids: BinaryIO
    count: int = 0

    def add(self, label: Labeled, digit: int) -> None:
        self.images.write(decode_glyph(label.glyph).tobytes())
        self.digits.write(bytes([digit]))
        self.ids.write(str(label.id).encode())
        self.count += 1


@contextmanager
def spool() -> Iterator[Spool]:
    with TemporaryFile() as images, TemporaryFile() as digits, TemporaryFile() as ids:
        yield Spool(images, digits, ids)


def spread(labels: Iterable[Labeled], choose: Callable[[Labeled], Spool]) -> None:
    """Add each label to the spool `choose` returns, except unreadable ones, which have no digit."""
    for label in labels:
        if label.digit is not None:
            choose(label).add(label, label.digit)


def images_in(stream: Readable, count: int) -> Iterator[Pixels]:
    """Yield up to `count` images (28, 28); fewer if the stream ends early or is damaged."""
    while count > 0:
        try:
            read = stream.read(SIZE * min(count, AT_ONCE))
        except BROKEN:
            return
        whole = len(read) // SIZE
        if whole == 0:
            return
        yield from np.frombuffer(read, np.uint8, whole * SIZE).reshape(whole, SIDE, SIDE)
        count -= whole


def paired(
    name: str, count: int, images: Iterator[Pixels], digits: NDArray[np.integer] | None
) -> Items:
    """Pair images with digits by position; rows are counted from 1."""
    row = 0
    for row, picture in enumerate(images, start=1):
        yield at_row(f"{name} row {row}", picture, None if digits is None else digits[row - 1])
    if row < count:
        yield Refused(f"{name} row {row + 1}", f"the file breaks off, {count - row:,} are missing")


def at_row(name: str, picture: Pixels, digit: np.integer | None) -> FoundImage | Refused:
    if digit is None:
        return FoundImage(name, picture)
    if not 0 <= digit <= 9:
        return Refused(name, f"its label is {digit}, and no digit from 0 to 9")
    return FoundImage(name, picture, Answer(int(digit)))
