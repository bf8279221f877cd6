from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from predictions.operation import doctor


class Command(BaseCommand):
    help = (
        "Look for everything known to go wrong with an installation, and say what is wrong, why "
        "it matters and what to do. Changes nothing. Exit code 0 when nothing is wrong, 1 when "
        "something wants attention, 2 when something is broken."
    )
    requires_system_checks = []  # it reports them itself

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")
        parser.add_argument(
            "--quick", action="store_true", help="skip the checks that read every label"
        )

    def handle(self, *args: Any, quick: bool, **options: Any) -> None:
        found = doctor.examine(deep=not quick)
        if options["json"]:
            self.stdout.write(json.dumps(doctor.as_json(found)))
        else:
            self.stdout.write(doctor.as_text(found))
        if state := doctor.worst_state(found):
            sys.exit(state)
