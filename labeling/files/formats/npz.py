"""NumPy archives: `images` (N, 28, 28) uint8, `labels` (N,), `ids` (N,). Never loads pickles."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from labeling.files.formats.archive import (
    BROKEN,
    Archive,
    Member,
    UnsafeMember,
    pieces_of,
    streamed,
)
from labeling.files.formats.pixels import Readable, images_in, paired, spool, spread
from labeling.files.formats.rows import BadFile, Items, Labeled
from predictions.glyphs.glyph import SIDE

# Our names, and those in Keras's `mnist.npz`.
PAIRS: Final = [("images", "labels"), ("x_train", "y_train"), ("x_test", "y_test")]
WANTED: Final = "Images are looked for in " + ", ".join(
    f"{images} (their labels in {labels})" for images, labels in PAIRS
)
MOST: Final = 10_000_000  # images per array
MOST_NAMED: Final = 10  # arrays listed in a refusal
HEAD: Final = struct.Struct("<6sBxH")  # the magic, the version, the header's length
# The header as NumPy writes it. NumPy's own reader would evaluate it.
HEADER: Final = re.compile(
    r"\{'descr': '([<>|=][biufSU]\d{1,6})', 'fortran_order': (False|True),"
    r" 'shape': \(([\d, ]{0,60})\), \}\s*"
)


# -- out ------------------------------------------------------------------------------------------


def write(labels: Iterable[Labeled]) -> Iterator[bytes]:
    """Yield an npz that `numpy.load` opens without pickles; its arrays have the same order."""
    with spool() as all_of_them:
        spread(labels, lambda label: all_of_them)
        n = all_of_them.count
        yield from streamed(
            Member(f"{name}.npy", array(dtype, shape, pieces_of(file)))
            for name, dtype, shape, file in (
                ("images", "|u1", (n, SIDE, SIDE), all_of_them.images),
                ("labels", "|u1", (n,), all_of_them.digits),
                ("ids", "|S36", (n,), all_of_them.ids),
            )
        )


def array(dtype: str, shape: tuple[int, ...], content: Iterator[bytes]) -> Iterator[bytes]:
    head = io.BytesIO()
    described = {"descr": dtype, "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(head, described)
    yield head.getvalue()
    yield from content


# -- in -------------------------------------------------------------------------------------------


def is_ours(names: Iterable[str]) -> bool:
    """Whether this is an npz, whatever its arrays are called."""
    return any(name.endswith(".npy") for name in names)


def read_zip(name: str, archive: Archive) -> Items:
    """Read every pair of arrays whose names are known."""
    known = set(archive.names)
    pairs = [(images, labels) for images, labels in PAIRS if f"{images}.npy" in known]
    if not pairs:
        there = ", ".join(sorted(known)[:MOST_NAMED]).replace(".npy", "")
        raise BadFile(f"The npz holds {there}. {WANTED}")
    for images, labels in pairs:
        yield from read_pair(f"{name} {images}", archive, images, labels, known)


def read_pair(name: str, archive: Archive, images: str, labels: str, known: set[str]) -> Items:
    try:
        with archive.open(f"{images}.npy") as file:
            count = count_in_header(file)
            digits = None
            if f"{labels}.npy" in known:
                with archive.open(f"{labels}.npy") as second:
                    digits = digits_of_array(second, count)
            yield from paired(name, count, images_in(file, count), digits)
    except UnsafeMember as unsafe:
        raise BadFile(f"{images}.npy: {unsafe}.") from unsafe


def count_in_header(file: Readable) -> int:
    shape, dtype = head_of(file)
    if dtype != np.uint8 or len(shape) != 3 or shape[1:] != (SIDE, SIDE):
        told = (
            f"Images must be N×28×28 of uint8, 0 for paper and 255 for ink, not {shape} of {dtype}."
        )
        scaled = (
            " Multiply numbers from 0 to 1 by 255 and convert them." if dtype.kind == "f" else ""
        )
        raise BadFile(told + scaled)
    if shape[0] > MOST:
        raise BadFile(f"The array claims {shape[0]:,} images; {MOST:,} are accepted.")
    return shape[0]


def digits_of_array(file: Readable, count: int) -> NDArray[np.integer]:
    shape, dtype = head_of(file)
    if shape != (count,) or dtype.kind not in "iu":
        raise BadFile(f"The labels must be {count:,} whole numbers, not {shape} of {dtype}.")
    try:
        content = file.read(count * dtype.itemsize)
    except BROKEN as broken:
        raise BadFile("The labels are damaged.") from broken
    if len(content) < count * dtype.itemsize:
        raise BadFile("There are fewer labels than images.")
    return np.frombuffer(content, dtype)


def head_of(file: Readable) -> tuple[tuple[int, ...], np.dtype]:
    """Read shape and type from the header, without evaluating it or allocating what it states."""
    try:
        magic, version, length = HEAD.unpack(file.read(HEAD.size))
        said = HEADER.fullmatch(file.read(length).decode("ascii"))
    except (struct.error, *BROKEN) as broken:
        raise BadFile("An array is damaged at its beginning.") from broken
    if magic != b"\x93NUMPY" or version != 1 or said is None:
        raise BadFile("An array is stored in a way that is not accepted.")
    if said[2] == "True":
        raise BadFile("An array is stored by columns; save numpy.ascontiguousarray of it.")
    try:
        dtype = np.dtype(said[1])
    except TypeError as unknown:
        raise BadFile(f"An array is of an unknown type, {said[1]}.") from unknown
    return tuple(int(side) for side in said[3].split(",") if side.strip()), dtype
