from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from tqdm import tqdm

from predictions.operation.json_command import DecliningCommand
from training.backup import backup


class Command(DecliningCommand):
    help = (
        "Write everything of value to one file, while people work on. The file is read back and "
        "compared before it gets its name. Keep the secret (SECRET_KEY, or DATA_DIR/secret_key) "
        "beside it: it is not in it. Exit code 0 when the backup is there and sound, else 1."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="a file that is not there yet")
        parser.add_argument("--json", action="store_true", help="print what was made as JSON")

    def handle(self, *args: Any, file: Path, verbosity: int, **options: Any) -> None:
        with tqdm(unit=" tables", disable=True if verbosity < 1 else None) as bar:

            def show(table: str) -> None:
                bar.set_description(table)
                bar.update()

            made = backup.make(file, progress=show)
        told = backup.told(made)
        if options["json"]:
            self.stdout.write(json.dumps(told))
            return
        rows = sum(made.manifest.rows.values())
        size = made.path.stat().st_size / 1e6
        self.stdout.write(self.style.SUCCESS(f"{made.path}: {rows:,} rows, {size:,.1f} MB."))
        self.stdout.write(f"SHA-256 {made.sha256}")
        for weights in told["weights_altered"]:
            self.stderr.write(
                self.style.WARNING(
                    f"The weights {weights} are not those that were registered, here and in this "
                    "backup. Keep the older backups; `manage.py doctor` says what to do."
                )
            )
