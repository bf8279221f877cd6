from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from predictions.models import ModelVersion
from predictions.operation.json_command import TellingCommand
from training.runs.reproduce import reproduce
from training.workers.memory import keep_freed_memory


class Command(TellingCommand):
    help = (
        "Make a version again from its snapshot and recipe, here in this process, and compare the "
        "weights. Nothing is stored. Ends with 0 when they are the same, 1 when not. "
        "The same machine, libraries and TRAINING_THREADS give the same weights; others may not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("version", help="name of the version")

    def handle(self, *args: Any, version: str, **options: Any) -> None:
        found = ModelVersion.objects.filter(name=version).first()
        if found is None:
            raise CommandError(f"There is no version {version}.")
        keep_freed_memory()
        made = reproduce(found, each_epoch=self.stderr.write)
        if made.is_same or self.is_json:
            self.tell(f"{version} again, byte for byte: {made.made}", **made.as_json())
        if not made.is_same:
            raise CommandError(f"{version} was {made.registered}; it became {made.made}.")
