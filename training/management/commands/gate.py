from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from predictions.models import ModelVersion
from predictions.operation.json_command import DecliningCommand
from training.api.trials import judgment_body
from training.models import GateReport
from training.trials.summary import Shown, shown
from training.trials.trial import judge

EXIT = {
    GateReport.Verdict.PROMOTE: 0,
    GateReport.Verdict.REJECT: 3,
    GateReport.Verdict.MORE: 4,
}


class Command(DecliningCommand):
    help = (
        "Follow a model version's trial against the live one now, and begin one if it has none. "
        "What wins is promoted, unless AUTO_PROMOTE is off. Exit code 0 for promote, 3 for reject, "
        "4 when it is not decided, 1 when it could not be tried."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("version", help="name of the version")
        parser.add_argument("--json", action="store_true", help="print everything as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        version = ModelVersion.objects.filter(name=options["version"]).first()
        if version is None:
            raise CommandError(f"There is no model version {options['version']!r}.")
        found = shown(judge(version))
        if options["json"]:
            self.stdout.write(json.dumps(judgment_body(found)))
        else:
            self.print(found)
        if code := EXIT[GateReport.Verdict(found.trial.verdict)]:
            sys.exit(code)

    def print(self, found: Shown) -> None:
        trial = found.trial
        verdict = GateReport.Verdict(trial.verdict)
        self.stdout.write(f"{trial}, candidate {trial.number}")
        for sentence in found.sentences:
            self.stdout.write(f"  {sentence}")
        self.stdout.write(f"Verdict: {verdict.label.lower()}")
