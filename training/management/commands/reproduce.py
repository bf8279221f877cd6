from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from predictions.errors import Declined
from predictions.models import ModelVersion
from training.runs.reproduce import reproduce
from training.workers.memory import keep_freed_memory


class Command(BaseCommand):
    help = (
        "Make a version again from its snapshot and recipe, here in this process, and compare the "
        "weights. Nothing is stored. Ends with 0 when they are the same, 1 when not. "
        "The same machine, libraries and TRAINING_THREADS give the same weights; others may not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("version", help="name of the version")
        parser.add_argument("--json", action="store_true", help="print one line of JSON")

    def handle(self, *args: Any, version: str, **options: Any) -> None:
        found = ModelVersion.objects.filter(name=version).first()
        if found is None:
            raise CommandError(f"There is no version {version}.")
        keep_freed_memory()
        try:
            made = reproduce(found, each_epoch=self.stderr.write)
        except Declined as declined:
            raise CommandError(str(declined)) from declined
        if options["json"]:
            self.stdout.write(json.dumps(made.as_json()))
        if not made.is_same:
            raise CommandError(f"{version} was {made.registered}; it became {made.made}.")
        if not options["json"]:
            self.stdout.write(self.style.SUCCESS(f"{version} again, byte for byte: {made.made}"))
