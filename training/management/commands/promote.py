from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from predictions.models import ModelVersion
from predictions.operation.json_command import TellingCommand
from predictions.operation.people import add_by, person_or_none
from training.api.versions import promotion_body
from training.versions import promotion


class Command(TellingCommand):
    help = (
        "Let a model version answer from now on. Exit code 0 when it is live, 1 when it was "
        "declined and nothing changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("version", help="name of the version")
        parser.add_argument("--why", default="", help="needed unless it won its trial")
        add_by(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        version = ModelVersion.objects.filter(name=options["version"]).first()
        if version is None:
            raise CommandError(f"There is no model version {options['version']!r}.")
        done = promotion.promote(version, by=person_or_none(options["by"]), why=options["why"])
        words = f"{done.after} is live; before it was {done.before or 'nothing'}."
        self.tell(words, **promotion_body(done))
