from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard import clusters
from predictions.models import ModelVersion
from training.promotion import live_version


class Command(BaseCommand):
    help = "Lay out labeled drawings in two dimensions by what a version's network makes of them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("version", nargs="?", help="the live one unless told")

    def handle(self, *, version: str | None, **options: Any) -> None:
        found = (
            ModelVersion.objects.filter(name=version).first()
            if version is not None
            else live_version()
        )
        if found is None:
            raise CommandError("There is no such version." if version else "No version is live.")
        made = clusters.make(found)
        if made.problem:
            raise CommandError(made.problem)
        self.stdout.write(self.style.SUCCESS(f"{made}: {made.method}."))
