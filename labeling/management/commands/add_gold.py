from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from labeling.batches import gold_items
from labeling.batches.bulk import left_alone_in_words
from labeling.batches.selections import as_shown
from labeling.errors import EmptySelection
from predictions.models import Prediction
from predictions.operation.json_command import TellingCommand


class Command(TellingCommand):
    help = (
        "Use settled labels as gold, whose known answer measures labelers: those named, or some "
        "that two or more agree on, drawn at random. Exit code 1 when none can be."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument(
            "--count",
            type=int,
            help="turn this many items into gold that two or more people agree on",
        )
        which.add_argument("--id", type=UUID, nargs="+", help="turn these predictions into gold")
        parser.add_argument("--seed", type=int, default=0, help="seed of the random choice")

    def handle(self, *, count: int | None, seed: int, **options: Any) -> None:
        chosen = (
            gold_items.surest(count, seed=seed)
            if count is not None
            else Prediction.objects.filter(public_id__in=options["id"])
        )
        try:
            added, left = gold_items.add_gold(as_shown(chosen), by=None)
        except EmptySelection as nothing:
            raise CommandError(str(nothing)) from nothing
        self.tell(
            f"{added:,} gold items added. {left_alone_in_words(left)}", added=added, left_alone=left
        )
