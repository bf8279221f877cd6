from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labeling.files import export
from labeling.models import Label
from predictions.models import Prediction


class Command(BaseCommand):
    help = (
        "Write every label with what the model had said as rows (csv, ndjson), or every settled "
        "label with its glyph: NumPy's npz, MNIST's IDX files, images in folders by digit (zip), "
        "or Label Studio's JSON. npz and IDX leave out what is unreadable."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--format", help="format of the file", choices=export.FORMATS, default="csv"
        )
        parser.add_argument(
            "--output", type=Path, help="write to this file; by default to standard output"
        )
        parser.add_argument(
            "--after", help="only for csv and ndjson: continue after this prediction id"
        )
        parser.add_argument(
            "--wrong", action="store_true", help="only drawings that the model read wrong"
        )

    def handle(self, *, output: Path | None, after: str | None, **options: Any) -> None:
        if after and options["format"] not in export.ROWS:
            raise CommandError("Only csv and ndjson can be continued: use --format csv or ndjson.")
        labels = export.wrong() if options["wrong"] else Label.objects.all()
        try:
            pieces = export.in_format(options["format"], labels, after=export.id_of(after))
            if output is None:
                self.to_standard_output(options["format"], pieces)
                return
            with output.open("wb") as file:
                file.writelines(pieces)
        except Prediction.DoesNotExist:
            raise CommandError(f"There is no prediction {after} to continue after.") from None
        self.stderr.write(f"Labels written to {output}.")

    def to_standard_output(self, kind: str, pieces: Any) -> None:
        if kind in export.ROWS:
            sys.stdout.writelines(piece.decode() for piece in pieces)
        elif sys.stdout.isatty():
            raise CommandError("An archive cannot be printed; name a file with --output.")
        else:
            sys.stdout.buffer.writelines(pieces)
