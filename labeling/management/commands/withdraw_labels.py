from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from labeling.batches.withdrawal import decisions_of, withdraw
from predictions.operation.json_command import TellingCommand
from predictions.operation.people import add_by, person_named, person_or_none


class Command(TellingCommand):
    help = (
        "Take back everything a labeler decided, as one batch that can be taken back itself. "
        "Without --yes it only says how much that is. Versions that learned from it stay: see "
        "withdraw. Exit code 0 when done or told, 1 when nothing of theirs stands."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("labeler", help="user name of the labeler")
        add_by(parser)
        parser.add_argument(
            "--yes", action="store_true", help="carry it out; without it, only report"
        )

    def handle(self, *, labeler: str, yes: bool, **options: Any) -> None:
        person = person_named(labeler)
        count, batch = decisions_of(person).count(), None
        if yes:
            batch = withdraw(person, by=person_or_none(options["by"]))
            count = batch.count
        words = f"{count:,} decisions would be taken back. Say so with --yes."
        if batch:
            words = f"{count:,} decisions taken back, batch {batch.pk}."
        self.tell(words, decisions=count, batch=batch and batch.pk)
