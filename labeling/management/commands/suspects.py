from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labeling import suspicion
from labeling.errors import EmptySelection


class Command(BaseCommand):
    help = "List the settled labels that look wrong; with --yes send them back for a blind look."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=int, default=50)
        parser.add_argument("--yes", action="store_true", help="send them to review")

    def handle(self, *, limit: int, yes: bool, **options: Any) -> None:
        if limit < 1:
            raise CommandError("--limit must be 1 or more.")
        if yes:
            self.send(limit)
            return
        found = suspicion.suspects(limit)
        drawings = suspicion.drawings_of(found)
        for suspect in found:
            drawing = drawings[suspect.prediction_id]
            self.stdout.write(
                f"{drawing.public_id}  labeled {suspect.digit}, "
                f"read as {drawing.digit} by {drawing.version}  {suspect.score:+.3f}"
            )
        self.stdout.write(f"{len(found):,} suspicious labels. {held_so_far()}")

    def send(self, limit: int) -> None:
        try:
            batch = suspicion.send_suspicious_to_review(limit, by=None)
        except EmptySelection as nothing:
            raise CommandError(str(nothing)) from nothing
        self.stdout.write(self.style.SUCCESS(f"{batch.count:,} sent to review, batch {batch.pk}."))


def held_so_far() -> str:
    precision = suspicion.precision()
    if precision.value is None:
        return "None has been looked at again so far."
    return (
        f"Of {precision.n:,} looked at again {precision.hits:,} did not hold "
        f"({precision.low:.0%} to {precision.high:.0%})."
    )
