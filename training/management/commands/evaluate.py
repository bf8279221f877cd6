from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import CommandError

from predictions.models import ModelVersion
from predictions.operation.json_command import DecliningCommand

if TYPE_CHECKING:
    from training.engine.evaluate import MeasuredShare, ReadingReport


class Command(DecliningCommand):
    help = "Judge a model version on MNIST's test set, on strokes, and on labeled predictions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "version", nargs="?", help="name of the version; by default the live one"
        )
        parser.add_argument("--strokes", type=Path, help="also evaluate on this file of strokes")
        parser.add_argument("--json", action="store_true", help="print one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        from training.versions.examination import judgments

        version = self.version(options["version"])
        strokes: Path | None = options["strokes"]
        if strokes is not None and not strokes.is_file():
            raise CommandError(f"There is no file {strokes}.")
        folder = settings.MNIST_DIR
        reports = {}
        for judgment in judgments(version, mnist_folder=folder, strokes=strokes):
            reports[judgment.title] = judgment.report.as_json()
            if not options["json"]:
                self.say(judgment.title, judgment.report)
        if options["json"]:
            self.stdout.write(json.dumps({"version": version.name, "reports": reports}))
        elif not reports:
            self.stdout.write(
                "There is nothing to judge by: no MNIST (manage.py fetch_mnist), no labels, "
                "and no file of strokes was given."
            )
        elif strokes is None:
            self.stdout.write("No file of strokes was given (--strokes FILE).")

    def version(self, name: str | None) -> ModelVersion:
        versions = ModelVersion.objects.all()
        found = (versions.filter(name=name) if name else versions.live()).first()
        if found is None:
            raise CommandError(f"There is no version {name}." if name else "No version is live.")
        return found

    def say(self, title: str, report: ReadingReport) -> None:
        self.stdout.write(self.style.MIGRATE_HEADING(f"\n{title}"))
        self.stdout.write(f"accuracy           {in_words(report.accuracy)}")
        self.stdout.write(
            f"mean confidence    {report.mean_confidence:.2%}, "
            f"calibration error {report.calibration_error:.2%}"
        )
        for digit, share in enumerate(report.by_digit):
            self.stdout.write(f"  {digit}                {in_words(share)}")
        self.stdout.write("confusion (rows: meant, columns: read)")
        self.stdout.write("     " + "".join(f"{digit:6d}" for digit in range(10)))
        for digit, row in enumerate(report.confusion.tolist()):
            self.stdout.write(f"{digit:5d}" + "".join(f"{n:6d}" if n else "     ·" for n in row))


def in_words(share: MeasuredShare) -> str:
    if share.value is None:
        return "none seen"
    low, high = share.interval
    return f"{share.value:7.2%} of {share.n:,} (95%: {low:.2%} to {high:.2%})"
