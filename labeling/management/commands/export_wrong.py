from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from labeling.files import export
from predictions.operation.json_command import TellingCommand


class Command(TellingCommand):
    help = "Write the wrongly read glyphs as a folder of images and an index."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="the folder; created if it does not exist")

    def handle(self, *, folder: Path, **options: Any) -> None:
        count = export.export_wrong(folder)
        self.tell(f"{count:,} wrong predictions in {folder}.", count=count, folder=folder)
