"""Images in folders named after their digits: a folder on disk, or a zip."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile
from typing import Any, Final

from labeling.files.formats.archive import Archive, Member, UnsafeMember, pieces_of, streamed
from labeling.files.formats.rows import FoundImage, Items, Labeled, Refused, verdict_called
from predictions.glyphs.images import MAX_BYTES

INDEX: Final = "index.csv"
COLUMNS: Final = [
    "file", "id", "label", "predicted", "confidence", "model", "drawn_at", "labeled_at",
]  # fmt: skip
PLACE: Final = "it lies in no folder called 0 to 9, unlabeled or unreadable"


# -- out ------------------------------------------------------------------------------------------


def write(labels: Iterable[Labeled]) -> Iterator[bytes]:
    """Yield a zip with an image for each label, in the folder of its digit, and an index."""
    yield from streamed(members(labels))


def members(labels: Iterable[Labeled]) -> Iterator[Member]:
    with TemporaryFile() as file:
        index = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.writer(index, lineterminator="\n")
        writer.writerow(COLUMNS)
        for label in labels:
            name = f"{label.value}/{label.id}.png"
            yield Member(name, [label.glyph], is_packed=False)
            writer.writerow(row_of(name, label))
        index.detach()  # flushes the text to the file
        yield Member(INDEX, pieces_of(file))


def row_of(name: str, label: Labeled) -> list[Any]:
    return [
        name, label.id, label.value, label.predicted, f"{label.confidence:.4f}", label.model,
        label.drawn_at.isoformat(), label.labeled_at.isoformat(),
    ]  # fmt: skip


# -- in -------------------------------------------------------------------------------------------


def read_folder(folder: Path) -> Items:
    """Read every file below a folder; links are refused."""
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder.parent))
        if path.is_symlink():
            yield Refused(name, "it is a link")
        elif path.is_file() and not is_beside(path.relative_to(folder)):
            with path.open("rb") as file:
                yield placed(name, file.read(MAX_BYTES + 1))


def read_image(path: Path) -> Items:
    """Read one image; the name of its folder is its label."""
    with path.open("rb") as file:
        yield placed(f"{path.absolute().parent.name}/{path.name}", file.read(MAX_BYTES + 1))


def read_zip(name: str, archive: Archive) -> Items:
    for member in archive.names:
        if is_beside(PurePosixPath(member)):
            continue
        try:
            content = archive.read(member, most=MAX_BYTES)
        except UnsafeMember as unsafe:
            yield Refused(f"{name}/{member}", str(unsafe))
        else:
            yield placed(f"{name}/{member}", content)


def is_beside(path: Path | PurePosixPath) -> bool:
    """Whether this is our index or a hidden file."""
    return path.name == INDEX or any(part.startswith(".") and part != ".." for part in path.parts)


def placed(name: str, content: bytes) -> FoundImage | Refused:
    try:
        verdict = verdict_called(PurePosixPath(name).parent.name)
    except KeyError:
        return Refused(name, PLACE)
    return FoundImage(name, content, verdict)
