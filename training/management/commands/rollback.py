from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from predictions.operation.json_command import TellingCommand
from predictions.operation.people import add_by, person_or_none
from training.api.versions import promotion_body
from training.versions import promotion


class Command(TellingCommand):
    help = (
        "Let the model version answer again that did before this one. Exit code 0 when it is "
        "live, 1 when that was declined and nothing changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--why", default="", help="reason, stored in the ledger")
        add_by(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        done = promotion.rollback(by=person_or_none(options["by"]), why=options["why"])
        words = f"{done.after} is live again; {done.before} was taken back."
        self.tell(words, **promotion_body(done))
