from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labeling import export
from predictions.models import Prediction


class Command(BaseCommand):
    help = "Write every label, with what the model had said, as CSV or NDJSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=export.WRITERS, default="csv")
        parser.add_argument("--output", type=Path, help="a file; standard output unless told")
        parser.add_argument("--after", help="go on after this prediction's id")

    def handle(self, *, output: Path | None, after: str | None, **options: Any) -> None:
        try:
            pages = export.WRITERS[options["format"]](export.rows(after=export.id_of(after)))
            if output is None:
                sys.stdout.writelines(pages)
                return
            with output.open("w", encoding="utf-8", newline="") as file:
                file.writelines(pages)
        except Prediction.DoesNotExist:
            raise CommandError(f"There is no prediction {after} to go on after.") from None
        self.stderr.write(f"Labels written to {output}.")
