from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from predictions.errors import Declined
from predictions.operation.people import add_by, person_or_none
from training.api.versions import promotion_body
from training.versions import promotion


class Command(BaseCommand):
    help = (
        "Let the model version answer again that did before this one. Exit code 0 when it is "
        "live, 1 when that was declined and nothing changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--why", default="", help="reason, stored in the ledger")
        add_by(parser)
        parser.add_argument(
            "--json", action="store_true", help="print the entry of the ledger as JSON"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = promotion.rollback(by=person_or_none(options["by"]), why=options["why"])
        except Declined as declined:
            raise CommandError(str(declined)) from declined
        if options["json"]:
            self.stdout.write(json.dumps(promotion_body(done)))
        else:
            self.stdout.write(f"{done.after} is live again; {done.before} was taken back.")
