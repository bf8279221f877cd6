from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from dashboard.reports import r_report
from predictions.errors import Declined
from predictions.operation.json_command import TellingCommand


class Command(TellingCommand):
    help = (
        "Draw every chart of the dashboard with R (ggplot2) as PNG, and as PDF where asked for. "
        "Needs Rscript; exit code 1 when R is missing or failed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "folder",
            type=Path,
            nargs="?",
            default=Path("r_report"),
            help="the folder for the files",
        )
        parser.add_argument("--pdf", action="store_true", help="also write PDF files")

    def handle(self, *, folder: Path, pdf: bool, **options: Any) -> None:
        names = r_report.chart_names()

        def begun(name: str) -> None:
            self.progress(name, names.index(name) / len(names))

        try:
            files = r_report.draw_report(folder, pdf=pdf, begun=begun)
        except (Declined, r_report.RFailed) as refused:
            raise CommandError(str(refused)) from refused
        self.tell(
            f"{len(files)} files are in {folder}.",
            folder=folder,
            files=[str(file) for file in files],
        )
