"""The file formats to export labels with their glyphs and to import images.

Each has a module: `write` yields pieces of a file from labels, `read` finds images in a file. The
first bytes of a file decide its format, not its name.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, TextIO

from labeling.files.formats import by_digit, idx, label_studio, npz, pixel_lines
from labeling.files.formats.archive import WIDE, Archive, Limits
from labeling.files.formats.rows import BadFile, Items, Labeled, Refused


@dataclass(frozen=True, slots=True)
class Writer:
    """How labels are written with their glyphs."""

    write: Callable[[Iterable[Labeled]], Iterator[bytes]]
    suffix: str
    media_type: str


WRITERS: Final = {
    "npz": Writer(npz.write, "npz", "application/zip"),
    "idx": Writer(idx.write, "idx.zip", "application/zip"),
    "idx-gz": Writer(idx.write_gzipped, "idx-gz.zip", "application/zip"),
    "zip": Writer(by_digit.write, "zip", "application/zip"),
    "label-studio": Writer(label_studio.write, "json", "application/json"),
}

ZIP: Final = b"PK"
IDX: Final = b"\0\0\x08"
IMAGES: Final = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF")


def read_paths(paths: Sequence[Path]) -> Items:
    """Read all images in files and folders; a file that cannot be read is refused by name."""
    beside = {partner_of(path) for path in paths}  # label files, read with their image files
    for path in paths:
        try:
            if path not in beside:
                yield from read_path(path)
        except (BadFile, OSError) as bad:
            yield Refused(str(path), str(bad))


def partner_of(path: Path) -> Path | None:
    """Return the path of the label file that belongs to an IDX image file."""
    partner = path.with_name(path.name.replace(*idx.MARKS))
    return partner if partner != path else None


def read_path(path: Path) -> Items:
    if path.is_dir():
        pairs = idx.pairs_in(str(each) for each in path.iterdir() if each.is_file())
        if not pairs:
            yield from by_digit.read_folder(path)
        for images in pairs:
            yield from read_path(Path(images))
        return
    with path.open("rb") as file:
        if file.peek(4).startswith(IMAGES):
            yield from by_digit.read_image(path)
        else:
            yield from read_file(str(path), file, labels=partner_of(path))


def read_file(
    name: str, file: BinaryIO, *, labels: Path | None = None, limits: Limits = WIDE
) -> Items:
    """Read all images in one file; `labels` is the label file of an IDX image file."""
    file.seek(0)
    start = file.read(512)
    file.seek(0)
    if not start:
        raise BadFile("The file is empty.")
    if start.startswith(ZIP):
        yield from read_archive(name, Archive(file, limits))
    elif start.startswith((IDX, idx.GZIPPED)):
        yield from read_idx(name, file, labels)
    elif start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        with text_of(file) as text:
            yield from label_studio.read(name, text)
    elif b"\0" in start:
        raise BadFile(
            "This file format is not supported. "
            "A zip of images, IDX files, an npz, a CSV of pixels and Label Studio's JSON are."
        )
    else:
        with text_of(file) as text:
            yield from pixel_lines.read(name, text)


def read_archive(name: str, archive: Archive) -> Items:
    names = archive.names
    reader = npz if npz.is_ours(names) else idx if idx.pairs_in(names) else by_digit
    yield from reader.read_zip(name, archive)


def read_idx(name: str, file: BinaryIO, labels: Path | None) -> Items:
    if labels is None or not labels.is_file():
        yield from idx.read(name, idx.unpacked(file), None)
        return
    with labels.open("rb") as beside:
        yield from idx.read(name, idx.unpacked(file), idx.unpacked(beside))


@contextmanager
def text_of(file: BinaryIO) -> Iterator[TextIO]:
    """Read a file as text and leave it open; invalid UTF-8 is replaced, and refused in its row."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline=None)
    try:
        yield text
    finally:
        text.detach()
