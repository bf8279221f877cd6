from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from predictions.errors import Declined
from predictions.models import ModelVersion
from training.api.versions import report_body
from training.gate.judging import judge_version
from training.models import GateReport

EXIT = {
    GateReport.Verdict.PROMOTE: 0,
    GateReport.Verdict.REJECT: 3,
    GateReport.Verdict.MORE: 4,
}


class Command(BaseCommand):
    help = (
        "Judge a model version against the live one and keep the report. Changes nothing that is "
        "served. Exit code 0 for promote, 3 for reject, 4 when more labels are needed, 1 when it "
        "could not be judged."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("version", help="its name")
        parser.add_argument("--json", action="store_true", help="print the whole report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        version = ModelVersion.objects.filter(name=options["version"]).first()
        if version is None:
            raise CommandError(f"There is no model version {options['version']!r}.")
        try:
            report = judge_version(version)
        except Declined as declined:
            raise CommandError(str(declined)) from declined
        if options["json"]:
            self.stdout.write(json.dumps({**report_body(report), "figures": report.figures}))
        else:
            self.print(report)
        if code := EXIT[GateReport.Verdict(report.verdict)]:
            sys.exit(code)

    def print(self, report: GateReport) -> None:
        self.stdout.write(f"{report.candidate} against {report.against}, look {report.look}")
        for one in [report.figures["drawings"], *report.figures["sets"]]:
            low, high = one["interval"]
            self.stdout.write(
                f"  {one['name']}: {one['right_before']:,} → {one['right_after']:,} right "
                f"of {one['n']:,}, difference {100 * one['difference']:+.2f} points "
                f"(95 %: {100 * low:+.2f} to {100 * high:+.2f})"
            )
        needed = f", {report.labels_needed:,} needed" if report.labels_needed else ""
        self.stdout.write(f"Verdict: {report.get_verdict_display().lower()}{needed}")
        for reason in report.reasons:
            self.stdout.write(f"  - {reason}")
