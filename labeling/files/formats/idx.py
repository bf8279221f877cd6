"""MNIST's IDX files: images and labels, each after a short header, gzipped or not."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from labeling.files.formats.archive import (
    BROKEN,
    Archive,
    Member,
    UnsafeMember,
    pieces_of,
    streamed,
)
from labeling.files.formats.pixels import Readable, Spool, images_in, paired, spool, spread
from labeling.files.formats.rows import BadFile, Items, Labeled
from predictions.glyphs.glyph import SIDE

# Where torchvision's MNIST(root) looks for its four files.
IMAGES, LABELS = "MNIST/raw/{}-images-idx3-ubyte", "MNIST/raw/{}-labels-idx1-ubyte"
IMAGES_HEAD: Final = struct.Struct(">4I")  # magic number, count, rows, columns
LABELS_HEAD: Final = struct.Struct(">2I")
OF_IMAGES: Final = 0x803
OF_LABELS: Final = 0x801
MARKS: Final = ("images-idx3", "labels-idx1")  # in the names of two matching files
GZIPPED: Final = b"\x1f\x8b"
MOST: Final = 10_000_000  # images per file


# -- out ------------------------------------------------------------------------------------------


def write(labels: Iterable[Labeled]) -> Iterator[bytes]:
    """Yield a zip of MNIST's four files: `t10k` has the audits, `train` the rest."""
    yield from zipped(labels, packed=False)


def write_gzipped(labels: Iterable[Labeled]) -> Iterator[bytes]:
    """The same, each file gzipped as MNIST's are."""
    yield from zipped(labels, packed=True)


def zipped(labels: Iterable[Labeled], *, packed: bool) -> Iterator[bytes]:
    with spool() as train, spool() as test:
        spread(labels, lambda label: test if label.is_audit else train)
        files = contents("train", train) | contents("t10k", test)
        if packed:
            files = {f"{name}.gz": gzipped(content) for name, content in files.items()}
        yield from streamed(
            Member(name, content, is_packed=not packed) for name, content in files.items()
        )


def contents(part: str, spool: Spool) -> dict[str, Iterator[bytes]]:
    images = IMAGES_HEAD.pack(OF_IMAGES, spool.count, SIDE, SIDE)
    labels = LABELS_HEAD.pack(OF_LABELS, spool.count)
    return {
        IMAGES.format(part): behind(images, pieces_of(spool.images)),
        LABELS.format(part): behind(labels, pieces_of(spool.digits)),
    }


def behind(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


def gzipped(content: Iterator[bytes]) -> Iterator[bytes]:
    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", fileobj=packed, mtime=0) as file:
        for part in content:
            file.write(part)
            yield packed.getvalue()
            packed.seek(0)
            packed.truncate()
    yield packed.getvalue()


# -- in -------------------------------------------------------------------------------------------


def unpacked(file: BinaryIO) -> Readable:
    """Return the file, unpacked if gzipped; it is streamed, so that a gzip bomb does no harm."""
    start = file.read(len(GZIPPED))
    file.seek(0)
    return gzip.GzipFile(fileobj=file) if start == GZIPPED else file


def read(name: str, images: Readable, labels: Readable | None) -> Items:
    """Read the images of one file, with the labels of the other if there is one."""
    count = count_of_images(images)
    digits = None if labels is None else digits_in(labels, count)
    yield from paired(name, count, images_in(images, count), digits)


def count_of_images(images: Readable) -> int:
    kind, count, rows, columns = unpack(IMAGES_HEAD, images)
    if kind != OF_IMAGES or (rows, columns) != (SIDE, SIDE):
        raise BadFile("This is not an IDX file of images of 28×28 bytes.")
    if count > MOST:
        raise BadFile(f"The IDX file claims {count:,} images; {MOST:,} are accepted.")
    return int(count)


def digits_in(labels: Readable, count: int) -> NDArray[np.uint8]:
    kind, told = unpack(LABELS_HEAD, labels)
    if kind != OF_LABELS:
        raise BadFile("This is not an IDX file of labels.")
    try:
        digits = np.frombuffer(labels.read(count + 1), np.uint8)
    except BROKEN as broken:
        raise BadFile("The IDX file of labels is damaged.") from broken
    if told != count or len(digits) != count:
        raise BadFile(f"There are {count:,} images and {min(told, len(digits)):,} labels.")
    return digits


def unpack(head: struct.Struct, file: Readable) -> tuple[int, ...]:
    try:
        return head.unpack(file.read(head.size))
    except (struct.error, *BROKEN) as broken:
        raise BadFile("The IDX file is damaged at its beginning.") from broken


def pairs_in(names: Iterable[str]) -> dict[str, str | None]:
    """Map each image file to its label file; to None if that is not among the names."""
    known = set(names)
    partners = {name: name.replace(*MARKS) for name in sorted(known) if MARKS[0] in name}
    return {name: other if other in known else None for name, other in partners.items()}


def read_zip(name: str, archive: Archive) -> Items:
    """Read a zip of IDX files, gzipped or not."""
    for images, labels in pairs_in(archive.names).items():
        try:
            with archive.open(images) as file, opened(archive, labels) as digits:
                yield from read(f"{name}/{images}", without_gzip(file, images), digits)
        except UnsafeMember as unsafe:
            raise BadFile(f"{images}: {unsafe}.") from unsafe


@contextmanager
def opened(archive: Archive, name: str | None) -> Iterator[Readable | None]:
    if name is None:
        yield None
        return
    with archive.open(name) as file:
        yield without_gzip(file, name)


def without_gzip(file: IO[bytes], name: str) -> Readable:
    return gzip.GzipFile(fileobj=file) if name.endswith(".gz") else file
