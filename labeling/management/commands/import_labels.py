from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling.files import label_lines
from predictions.operation.json_command import TellingCommand
from predictions.operation.people import add_by, person_or_none

SHOWN = 20  # refused lines spelled out


class Command(TellingCommand):
    help = (
        "Take in labels from a file as export_labels writes it, as one batch that can be taken "
        "back. Without --yes it only says what would change. Exit code 1 when the file cannot be "
        "read or changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="CSV or NDJSON with an id and a digit")
        parser.add_argument(
            "--format",
            choices=["csv", "ndjson"],
            help="format; by default from the name of the file",
        )
        add_by(parser)
        parser.add_argument(
            "--yes", action="store_true", help="carry it out; without it, only report"
        )

    def handle(self, *, file: Path, by: str | None, yes: bool, **options: Any) -> None:
        file_format = options["format"] or ("csv" if file.suffix == ".csv" else "ndjson")
        try:
            with file.open(encoding="utf-8-sig", newline="") as content:
                plan = label_lines.plan(content, file_format=file_format)
            self.show(plan)
            if not yes:
                self.tell("Nothing was changed; say --yes to do it.", **counts(plan), batch=None)
                return
            done = label_lines.apply_plan(plan, by=person_or_none(by), source=file.name)
        except (OSError, UnicodeDecodeError) as unreadable:
            raise CommandError(f"{file} cannot be read: {unreadable}") from unreadable
        batch, told = done.batch, {**counts(plan), "changed": done.batch.count}
        self.tell(f"Batch {batch.pk}: {done}", **told, batch=batch.pk)

    def show(self, plan: label_lines.Plan) -> None:
        for number, why in plan.refused[:SHOWN]:
            self.stderr.write(f"line {number}: {why}")
        if len(plan.refused) > SHOWN:
            self.stderr.write(f"and {len(plan.refused) - SHOWN:,} more")
        self.say(
            f"{len(plan.verdicts):,} labels to change, {plan.already_so:,} stand so already, "
            f"{len(plan.refused):,} refused."
        )


def counts(plan: label_lines.Plan) -> dict[str, int]:
    return {
        "changed": len(plan.verdicts),
        "already_so": plan.already_so,
        "refused": len(plan.refused),
    }
