from __future__ import annotations

import csv
import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from predictions.capture import capture
from predictions.database.slices import chunks
from predictions.errors import Declined
from predictions.glyphs.images import MAX_BYTES
from predictions.models import STRANGE, Owner, Prediction
from predictions.operation.people import person_named
from predictions.serving.network import Reading
from predictions.serving.recognizer import NoModel, recognizer

AT_ONCE = 64  # images decoded, read and stored together
IMAGES = {".png", ".jpg", ".jpeg", ".webp"}
COLUMNS = ["file", "digit", "confidence", "strangeness", "is_digit", "model", "id", "refused"]
SOME_REFUSED = 2  # exit code


@dataclass(frozen=True, slots=True)
class Line:
    """The result for one file: a reading, or why there is none."""

    file: str
    digit: int | None = None
    confidence: float | None = None
    strangeness: float | None = None
    model: str = ""
    id: str = ""  # of the stored prediction
    refused: str = ""

    @property
    def is_digit(self) -> bool | None:
        return None if self.strangeness is None else self.strangeness < STRANGE

    def cells(self) -> list[Any]:
        values = [getattr(self, column) for column in COLUMNS]
        return [
            "" if value is None else f"{value:.4f}" if isinstance(value, float) else value
            for value in values
        ]


class Command(BaseCommand):
    help = (
        "Read images of digits with the live version: files, or folders with all images in them. "
        "Nothing is stored unless --store is given. Exit code 0: all were read; 2: some were "
        "refused, and the table says why; 1: nothing could be done."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, help="image files or folders of them")
        parser.add_argument(
            "--store", action="store_true", help="store the drawings and their readings"
        )
        parser.add_argument("--owner", help="with --store: the account that owns the drawings")
        kinds = parser.add_mutually_exclusive_group()
        kinds.add_argument("--csv", action="store_true", help="print comma-separated values")
        kinds.add_argument("--json", action="store_true", help="print one JSON object a line")

    def handle(self, *, paths: list[Path], **options: Any) -> None:
        owner = self.owner(options["owner"], stores=options["store"])
        files = list(self.files(paths))
        if not files:
            raise CommandError(f"No image was found ({', '.join(sorted(IMAGES))}).")
        read = stored if options["store"] else unstored
        lines = read(self.progress(files), owner)
        kind = "csv" if options["csv"] else "json" if options["json"] else "table"
        try:
            refused = self.write(lines, kind)
        except NoModel as none:
            raise CommandError(str(none)) from none
        if refused:
            self.stderr.write(f"{refused:,} of {len(files):,} images were refused.")
            sys.exit(SOME_REFUSED)

    def owner(self, name: str | None, *, stores: bool) -> Owner:
        if name is None:
            return Owner()
        if not stores:
            raise CommandError("--owner says whose they are; it needs --store.")
        return Owner(user_id=person_named(name).pk)

    def files(self, paths: Iterable[Path]) -> Iterator[Path]:
        """The files that were named, and the images in the folders that were named."""
        for path in paths:
            if path.is_dir():
                yield from sorted(each for each in path.rglob("*") if each.suffix.lower() in IMAGES)
            elif path.is_file():
                yield path
            else:
                raise CommandError(f"There is no file or folder {path}.")

    def progress(self, files: list[Path]) -> Iterable[Path]:
        is_long = len(files) > AT_ONCE
        return tqdm(files, unit=" images", disable=not is_long or not sys.stderr.isatty())

    def write(self, lines: Iterable[Line], kind: str) -> int:
        """Print the lines as they come; return how many were refused."""
        refused = 0
        writer = csv.writer(self.stdout, lineterminator="\n")
        if kind == "csv":
            writer.writerow(COLUMNS)
        for line in lines:
            refused += bool(line.refused)
            if kind == "csv":
                writer.writerow(line.cells())
            elif kind == "json":
                self.stdout.write(json.dumps({name: getattr(line, name) for name in COLUMNS}))
            else:
                self.stdout.write(in_words(line))
        return refused


def in_words(line: Line) -> str:
    if line.refused:
        return f"{line.file}  refused: {line.refused}"
    doubt = "" if line.is_digit else "  (probably not a digit)"
    stored_as = f"  {line.id}" if line.id else ""
    return f"{line.file}  {line.digit}  {line.confidence:.1%}{doubt}{stored_as}"


def unstored(files: Iterable[Path], owner: Owner) -> Iterator[Line]:
    """Read without storing; one forward pass for each chunk."""
    sketch = capture.or_refusal(capture.sketch)
    for chunk in chunks(files, AT_ONCE):
        sketches = [sketch(content_of(file)) for file in chunk]
        glyphs = [made.glyph for made in sketches if isinstance(made, capture.Sketch)]
        answer = recognizer.read(np.stack(glyphs)) if glyphs else None
        readings = iter(answer.readings if answer else ())
        for file, made in zip(chunk, sketches, strict=True):
            if isinstance(made, Declined):
                yield Line(str(file), refused=str(made))
            else:
                assert answer is not None
                yield line_of(file, next(readings), answer.version.name)


def stored(files: Iterable[Path], owner: Owner) -> Iterator[Line]:
    """Read and store, like the batches of the API; one insert for each chunk."""
    for chunk in chunks(files, AT_ONCE):
        made = capture.capture_batch(
            [content_of(file) for file in chunk], owner=owner, source=Prediction.Source.BATCH
        )
        for file, each in zip(chunk, made, strict=True):
            if isinstance(each, Declined):
                yield Line(str(file), refused=str(each))
            else:
                yield Line(
                    str(file), each.digit, each.confidence, each.strangeness,
                    each.version.name, str(each.public_id),
                )  # fmt: skip


def content_of(file: Path) -> bytes:
    """Read at most one byte more than the limit, which is enough to refuse the file."""
    with file.open("rb") as opened:
        return opened.read(MAX_BYTES + 1)


def line_of(file: Path, reading: Reading, model: str) -> Line:
    return Line(str(file), reading.digit, reading.confidence, reading.strangeness, model)
