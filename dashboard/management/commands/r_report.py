from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from dashboard import r_report
from predictions.errors import Declined


class Command(BaseCommand):
    help = "Draw every chart of the dashboard with R (ggplot2) as PNG, and as PDF where asked for."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, nargs="?", default=Path("r_report"))
        parser.add_argument("--pdf", action="store_true", help="PDF beside PNG")

    def handle(self, *, folder: Path, pdf: bool, **options: Any) -> None:
        total = r_report.count_of_charts()
        try:
            with tqdm(total=total, unit="chart", disable=not sys.stderr.isatty()) as bar:
                files = r_report.report(folder, pdf=pdf, drawn=lambda name: bar.update())
        except (Declined, r_report.RFailed) as refused:
            raise CommandError(str(refused)) from refused
        self.stdout.write(self.style.SUCCESS(f"{len(files)} files are in {folder}."))
