from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling.batches import suspicion
from labeling.errors import EmptySelection
from predictions.operation.json_command import TellingCommand


class Command(TellingCommand):
    help = (
        "List the settled labels that look wrong, the worst first; with --yes send them back for a "
        "blind look. Exit code 1 when there is none to send."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=int, default=50, help="at most this many")
        parser.add_argument("--yes", action="store_true", help="send them to review")

    def handle(self, *, limit: int, yes: bool, **options: Any) -> None:
        if limit < 1:
            raise CommandError("--limit must be 1 or more.")
        if yes:
            self.send(limit)
            return
        found = suspicion.suspects(limit)
        drawings = suspicion.drawings_of(found)
        rows = []
        for suspect in found:
            drawing = drawings[suspect.prediction_id]
            rows.append(
                {
                    "id": drawing.public_id,
                    "labeled": suspect.digit,
                    "read_as": drawing.digit,
                    "model": drawing.version.name,
                    "score": suspect.score,
                }
            )
        lines = [
            f"{row['id']}  labeled {row['labeled']}, "
            f"read as {row['read_as']} by {row['model']}  {row['score']:+.3f}"
            for row in rows
        ]
        lines.append(f"{len(found):,} suspicious labels. {held_so_far()}")
        self.tell("\n".join(lines), suspects=rows)

    def send(self, limit: int) -> None:
        try:
            batch = suspicion.send_suspicious_to_review(limit, by=None)
        except EmptySelection as nothing:
            raise CommandError(str(nothing)) from nothing
        self.tell(
            f"{batch.count:,} sent to review, batch {batch.pk}.", sent=batch.count, batch=batch.pk
        )


def held_so_far() -> str:
    precision = suspicion.precision()
    if precision.value is None:
        return "None has been looked at again so far."
    return (
        f"Of {precision.n:,} looked at again {precision.hits:,} did not hold "
        f"({precision.low:.0%} to {precision.high:.0%})."
    )
