from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from dashboard import replay


class Command(BaseCommand):
    help = "Let every version read every month's audited drawings, as far as that was not done."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--rebuild",
            action="store_true",
            help="count everything again from the logs; what versions read is kept",
        )

    def handle(self, *, rebuild: bool, **options: Any) -> None:
        if rebuild:
            replay.rebuild()
        progress = replay.work()
        while not progress.is_complete:
            self.stdout.write(f"{progress.done:,} of {progress.wanted:,} readings")
            progress = replay.work()
        self.stdout.write(self.style.SUCCESS(f"All {progress.done:,} readings are there."))
