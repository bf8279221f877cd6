from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from dashboard.filters import Filters, UnknownFilter
from dashboard.reports.stats import export_stats
from predictions.operation.json_command import TellingCommand


class Command(TellingCommand):
    help = (
        "Write predictions, labels, counts, versions and every figure of the dashboard as tidy"
        " CSV files, with a dictionary of their columns. No pictures, nobody's name."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="the folder; created if it does not exist")
        parser.add_argument(
            "--filter",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="filters of the figures, as in the dashboard's address: first=2026-09",
        )

    def handle(self, *, folder: Path, filter: list[str], **options: Any) -> None:  # noqa: A002
        try:
            filters = Filters.parse(dict(said.split("=", 1) for said in filter))
        except UnknownFilter as unknown:
            raise CommandError(str(unknown)) from unknown
        except ValueError as no_pair:
            raise CommandError("A filter is NAME=VALUE, such as digit=7.") from no_pair
        with tqdm(unit="row", disable=not sys.stderr.isatty()) as bar:
            written = export_stats(folder, filters=filters, progress=bar.update)
        for name, count in written.items():
            self.say(f"{count:11,} rows in {name}")
        self.tell(f"Everything is in {folder}.", folder=folder, rows=written)
