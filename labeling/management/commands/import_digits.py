from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from labeling.files.formats.known import read_paths
from labeling.files.imports import ImportReport, take_in_images
from predictions.operation.json_command import DecliningCommand
from predictions.operation.people import add_by, person_or_none

SOME_REFUSED = 2  # exit code


class Command(DecliningCommand):
    help = (
        "Take in images of digits, with labels or without, as one batch that can be taken back: "
        "folders or zips with an image in a folder for each digit (and unlabeled, unreadable), "
        "MNIST's IDX files, npz, a CSV of pixels, Label Studio's JSON. Exit code 0: all were "
        "taken in or here already; 2: some were refused, and it says which and why; 1: nothing "
        "could be done."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, help="files or folders")
        add_by(parser)
        parser.add_argument(
            "--dry-run", action="store_true", help="report what would be done, and change nothing"
        )
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def handle(self, *, paths: list[Path], dry_run: bool, **options: Any) -> None:
        for path in paths:
            if not path.exists():
                raise CommandError(f"There is no file or folder {path}.")
        with tqdm(unit=" images", disable=not sys.stderr.isatty()) as bar:
            report = take_in_images(
                read_paths(paths),
                by=person_or_none(options["by"]),
                source=", ".join(path.name for path in paths)[:500],
                dry_run=dry_run,
                progress=bar.update,
            )
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json()))
        else:
            self.tell(report, dry_run=dry_run)
        if report.refused:
            sys.exit(SOME_REFUSED)

    def tell(self, report: ImportReport, *, dry_run: bool) -> None:
        for refused in report.refusals:
            self.stderr.write(f"{refused.name}: {refused.why}")
        if (more := report.refused - len(report.refusals)) > 0:
            self.stderr.write(f"and {more:,} more")
        self.stdout.write(str(report))
        if report.batch is not None:
            self.stdout.write(self.style.SUCCESS(f"Batch {report.batch.pk} takes it back."))
        elif dry_run:
            self.stdout.write("Nothing was changed.")
