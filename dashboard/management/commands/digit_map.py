from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from dashboard.replay import clusters
from predictions.models import ModelVersion
from predictions.operation.json_command import TellingCommand
from training.versions.promotion import live_version


class Command(TellingCommand):
    help = (
        "Lay out labeled drawings in two dimensions by what a version's network makes of them: "
        "the dashboard's page Clusters shows it. Exit code 1 when it could not be done."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "version", nargs="?", help="name of the version; by default the live one"
        )

    def handle(self, *, version: str | None, **options: Any) -> None:
        found = (
            ModelVersion.objects.filter(name=version).first()
            if version is not None
            else live_version()
        )
        if found is None:
            raise CommandError("There is no such version." if version else "No version is live.")
        made = clusters.make_map(found)
        if made.problem:
            raise CommandError(made.problem)
        self.tell(f"{made}: {made.method}.", version=found.name, method=made.method)
