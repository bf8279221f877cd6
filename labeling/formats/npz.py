"""NumPy's archives: `images` N×28×28 of bytes, `labels` N, `ids` N. Pickles are never opened."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from labeling.formats.archive import BROKEN, Archive, Member, UnsafeMember, pieces_of, streamed
from labeling.formats.pixels import Readable, images_in, paired, spooled
from labeling.formats.rows import BadFile, Items, Labeled
from predictions.glyph import SIDE

# Ours, and those of the `mnist.npz` that Keras hands out.
PAIRS: Final = [("images", "labels"), ("x_train", "y_train"), ("x_test", "y_test")]
MOST: Final = 10_000_000  # images of one array
HEAD: Final = struct.Struct("<6sBxH")  # the magic, the version, the header's length
# As NumPy writes it, of numbers in the order of C; its own reader would evaluate it.
HEADER: Final = re.compile(
    r"\{'descr': '([<>|=][iu][1248])', 'fortran_order': False, 'shape': \(([\d, ]{1,60})\), \}\s*"
)


# -- out ------------------------------------------------------------------------------------------


def write(labels: Iterable[Labeled]) -> Iterator[bytes]:
    """What `numpy.load` opens without pickles; the arrays are in the same order."""
    with spooled(labels) as spool:
        n = spool.count
        yield from streamed(
            Member(f"{name}.npy", array(dtype, shape, pieces_of(file)))
            for name, dtype, shape, file in (
                ("images", "|u1", (n, SIDE, SIDE), spool.images),
                ("labels", "|u1", (n,), spool.digits),
                ("ids", "|S36", (n,), spool.ids),
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
    return any(f"{images}.npy" in set(names) for images, _ in PAIRS)


def read_zip(name: str, archive: Archive) -> Items:
    """Every pair of arrays that is known by its names."""
    known = set(archive.names)
    for images, labels in PAIRS:
        if f"{images}.npy" in known:
            yield from read_pair(f"{name} {images}", archive, images, labels, known)


def read_pair(name: str, archive: Archive, images: str, labels: str, known: set[str]) -> Items:
    try:
        with archive.open(f"{images}.npy") as file:
            count = count_of_images(file)
            digits = None
            if f"{labels}.npy" in known:
                with archive.open(f"{labels}.npy") as second:
                    digits = digits_in(second, count)
            yield from paired(name, count, images_in(file, count), digits)
    except UnsafeMember as unsafe:
        raise BadFile(f"{images}.npy: {unsafe}.") from unsafe


def count_of_images(file: Readable) -> int:
    shape, dtype = head_of(file)
    if dtype != np.uint8 or len(shape) != 3 or shape[1:] != (SIDE, SIDE):
        raise BadFile(f"The images must be N×28×28 of uint8, not {shape} of {dtype}.")
    if shape[0] > MOST:
        raise BadFile(f"The array claims {shape[0]:,} images; {MOST:,} are accepted.")
    return shape[0]


def digits_in(file: Readable, count: int) -> NDArray[np.integer]:
    shape, dtype = head_of(file)
    if shape != (count,):
        raise BadFile(f"The labels must be {count:,} whole numbers, not {shape} of {dtype}.")
    try:
        content = file.read(count * dtype.itemsize)
    except BROKEN as broken:
        raise BadFile("The labels are damaged.") from broken
    if len(content) < count * dtype.itemsize:
        raise BadFile("There are fewer labels than images.")
    return np.frombuffer(content, dtype)


def head_of(file: Readable) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type from the header: nothing is allocated by its word, and nothing evaluated."""
    try:
        magic, version, length = HEAD.unpack(file.read(HEAD.size))
        said = HEADER.fullmatch(file.read(length).decode("ascii"))
    except (struct.error, *BROKEN) as broken:
        raise BadFile("An array is damaged at its beginning.") from broken
    if magic != b"\x93NUMPY" or version != 1 or said is None:
        raise BadFile("An array is none, or stored in a way that is not accepted.")
    shape = tuple(int(side) for side in said.group(2).split(",") if side.strip())
    return shape, np.dtype(said.group(1))
