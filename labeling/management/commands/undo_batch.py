from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from labeling.batches import batches
from labeling.models import Batch
from predictions.operation.json_command import TellingCommand
from predictions.operation.people import add_by, person_named

SHOWN = 20


class Command(TellingCommand):
    help = (
        "Take a batch of labels back: a correction, a grid, an import, or a withdrawal (its "
        f"labels come again). Without an id it lists the last {SHOWN} batches. "
        "Exit code 1 when there is none of that id, or it was taken back before."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("batch", type=UUID, nargs="?", help="id of the batch")
        add_by(parser)

    def handle(self, *, batch: UUID | None, by: str | None, **options: Any) -> None:
        if batch is None:
            self.list_last()
        else:
            self.undo(batch, by)

    def undo(self, batch: UUID, by: str | None) -> None:
        if by is None:
            raise CommandError("--by is needed: an undo is stored under somebody's name.")
        person = person_named(by)
        found = Batch.objects.filter(pk=batch).first()
        if found is None:
            raise CommandError(f"There is no batch {batch}.")
        undone = batches.undo_batch(found, by=person)
        self.tell(f"{undone:,} labels of batch {batch} taken back.", batch=batch, labels=undone)

    def list_last(self) -> None:
        last = Batch.objects.select_related("made_by").order_by("-made_at")[:SHOWN]
        lines = [in_words(each) for each in last] or ["There is no batch yet."]
        self.tell(
            "\n".join(lines),
            batches=[
                {"batch": each.pk, "kind": each.kind, "labels": each.count,
                 "made_at": each.made_at, "undone_at": each.undone_at}
                for each in last
            ],
        )  # fmt: skip


def in_words(batch: Batch) -> str:
    by = batch.made_by.get_username() if batch.made_by else "nobody"
    end = ", taken back" if batch.undone_at else ""
    at = f"{batch.made_at:%Y-%m-%d %H:%M}"
    return f"{batch.pk}  {at}  {batch.count:,} by {batch.kind} of {by}{end}"
