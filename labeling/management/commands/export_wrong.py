from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from labeling import export


class Command(BaseCommand):
    help = "Write the wrongly read glyphs as a folder of images and an index."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *, folder: Path, **options: Any) -> None:
        count = export.export_wrong(folder)
        self.stdout.write(self.style.SUCCESS(f"{count:,} wrong predictions in {folder}."))
