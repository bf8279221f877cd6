from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandParser
from tqdm import tqdm

from dashboard.replay import replay
from predictions.operation.json_command import TellingCommand


class Command(TellingCommand):
    help = "Let every version read every month's audited drawings, as far as that was not done."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--rebuild",
            action="store_true",
            help="count everything again from the logs; stored readings are kept",
        )

    def handle(self, *, rebuild: bool, **options: Any) -> None:
        if rebuild:
            replay.rebuild_items()
        progress = replay.replay_for()
        bar = tqdm(unit=" readings", disable=not sys.stderr.isatty())
        while not progress.is_complete:
            bar.total = progress.wanted
            bar.update(progress.done - bar.n)
            progress = replay.replay_for()
        bar.close()
        self.tell(f"All {progress.done:,} readings are there.", readings=progress.done)
