from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from predictions.operation.json_command import DecliningCommand
from training.backup import archive
from training.backup.restore import Restored, restore


class Command(DecliningCommand):
    help = (
        "Put the database back as a backup has it, and prove it: tables, weights and labels are "
        "compared afterwards. Stop the web server and the workers first. Exit code 0 when all is "
        "as it was taken, 1 when the file was refused (nothing was touched) or something differs."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="as `backup` wrote it")
        parser.add_argument(
            "--force", action="store_true", help="replace what is in the database now"
        )
        parser.add_argument(
            "--trust",
            action="store_true",
            help="take a file that this installation's SECRET_KEY did not seal, such as one of "
            "another installation or an older backup",
        )
        parser.add_argument(
            "--sha256", default="", help="refuse any other file than the one with this digest"
        )
        parser.add_argument("--json", action="store_true", help="print what was found as JSON")

    def handle(self, *args: Any, file: Path, verbosity: int, **options: Any) -> None:
        with tqdm(unit=" steps", disable=True if verbosity < 1 else None) as bar:

            def show(step: str) -> None:
                bar.set_description(step)
                bar.update()

            done = restore(
                file,
                force=options["force"],
                trusted=options["trust"],
                sha256=options["sha256"],
                progress=show,
            )
        if done.archive.doubt:
            self.stderr.write(self.style.WARNING(f"{done.archive.doubt} --trust was given."))
        if options["json"]:
            self.stdout.write(json.dumps(as_json(done)))
        if not done.is_equal:
            raise CommandError(
                f"Restored, but not all is as it was taken: tables {done.differing}, "
                f"weights {done.weights}, {done.labels} labels or places differ."
            )
        if not options["json"]:
            rows = sum(done.archive.manifest.rows.values())
            self.stdout.write(
                self.style.SUCCESS(
                    f"{rows:,} rows restored as of {done.archive.manifest.made_at}. All tables, "
                    "weights and labels are as they were taken."
                )
            )


def as_json(done: Restored) -> dict[str, Any]:
    return {
        **archive.summary(done.archive),
        "equal": done.is_equal,
        "tables_differing": done.differing,
        "weights_differing": done.weights,
        "labels_differing": done.labels,
    }
