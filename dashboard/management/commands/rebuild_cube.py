from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from dashboard.cube.counting import catch_up, marks
from dashboard.cube.rebuild import months_to_check, rebuild_counts
from labeling.models import LabelEvent
from predictions.models import Prediction
from predictions.operation.json_command import TellingCommand


class Command(TellingCommand):
    help = (
        "Count every prediction and label event from nothing, and mend what differs. Exit code 1 "
        "when --check finds differences."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="change nothing; fail if there are differences"
        )

    def handle(self, *, check: bool, verbosity: int, **options: Any) -> None:
        quiet = True if verbosity < 1 else None  # None: quiet unless on a terminal
        self.count(quiet)
        total = len(list(months_to_check())) + 1
        with tqdm(total=total, unit=" months", disable=quiet) as bar:

            def progress(name: str) -> None:
                bar.set_postfix_str(name)
                bar.update()

            found = rebuild_counts(mend=not check, progress=progress)
        said = (
            f"{found.months:,} months looked at: {found.cells:,} cells, {found.sums:,} sums and "
            f"{found.flows:,} flows differed from the logs."
        )
        if check and len(found):
            raise CommandError(said)
        self.tell(said, months=found.months, cells=found.cells, sums=found.sums, flows=found.flows)

    def count(self, quiet: bool | None) -> None:
        """Count new predictions and events."""
        at = marks()
        left = Prediction.objects.filter(pk__gt=at.prediction).count()
        left += LabelEvent.objects.filter(pk__gt=at.event).count()
        with tqdm(total=left, unit=" rows", disable=quiet) as bar:
            catch_up(progress=lambda predictions, events: bar.update(predictions + events))
