from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from labeling.batches.rebuild import rebuild_labels
from labeling.models import QueueItem
from predictions.operation.json_command import TellingCommand

SHOWN = 20  # keys spelled out


class Command(TellingCommand):
    help = (
        "Compute every label and queue place from the events again, and mend what differs. "
        "Exit code 1 when --check finds differences."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="change nothing; fail if there are differences"
        )

    def handle(self, *, check: bool, verbosity: int, **options: Any) -> None:
        count = QueueItem.objects.count()
        with tqdm(total=count, unit=" items", disable=True if verbosity < 1 else None) as bar:
            found = rebuild_labels(mend=not check, progress=bar.update)
        for name, keys in (("labels", found.labels), ("places", found.places)):
            if keys:
                self.say(f"{name} of predictions {', '.join(map(str, keys[:SHOWN]))}")
        said = (
            f"{found.looked_at:,} items looked at: {len(found.labels):,} labels and "
            f"{len(found.places):,} places differed from their events."
        )
        if check and len(found):
            raise CommandError(said)
        self.tell(
            said,
            looked_at=found.looked_at,
            labels=len(found.labels),
            places=len(found.places),
        )
