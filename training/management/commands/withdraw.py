from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.management.base import CommandError, CommandParser

from predictions.operation.json_command import DecliningCommand
from training.models import Run
from training.runs import retrain
from training.snapshots.lineage import Source, versions_containing


class Command(DecliningCommand):
    help = (
        "Show which versions learned from a labeler or a visitor. With --retrain, start a run "
        "that leaves them out, beginning at the nearest version that never learned from them; "
        "later runs leave them out too. With --readmit, start a run that learns from them again. "
        "Nothing is deleted. Ends with 1 when the labeler or "
        "visitor is unknown, or the run is declined."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument(
            "--labeler", metavar="NAME", help="user name: leave out what this labeler decided"
        )
        who.add_argument(
            "--visitor", type=UUID, help="visitor id: leave out what this visitor drew and said"
        )
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--retrain", action="store_true", help="Start a run without them.")
        how.add_argument(
            "--readmit", action="store_true", help="Start a run that learns from them again."
        )
        parser.add_argument(
            "--least",
            type=int,
            default=retrain.LEAST_LABELS,
            help="start only with at least this many labels",
        )
        parser.add_argument("--json", action="store_true", help="print one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        source = self.source(options["labeler"], options["visitor"])
        if not source.is_known:
            raise CommandError(
                f"There is nobody called {options['labeler'] or options['visitor']}."
            )
        told: dict[str, Any] = {
            "standing_labels": source.standing_labels(),
            "versions": [each.as_json() for each in versions_containing(source.events)],
            "run": None,
        }
        if not options["json"]:
            self.tell(told)
        if options["retrain"] or options["readmit"]:
            run = self.retrain(source, least=options["least"], again=options["readmit"])
            told["run"] = {"id": str(run.public_id), "parent": run.parent.name}
        if options["json"]:
            self.stdout.write(json.dumps(told))

    def source(self, labeler: str | None, visitor: UUID | None) -> Source:
        if labeler is not None:
            known = User.objects.filter(username=labeler).values_list("pk", flat=True)
            return Source(labelers=tuple(known))
        return Source(visitors=(str(visitor),))

    def tell(self, told: dict[str, Any]) -> None:
        self.stdout.write(f"{told['standing_labels']} settled labels of theirs stand.")
        if not told["versions"]:
            self.stdout.write("No version has learned from them.")
        for each in told["versions"]:
            how = f"{each['labels']} labels" if each["labels"] else f"through {each['through']}"
            self.stdout.write(f"  {each['version']} ({each['state']}): {how}")

    def retrain(self, source: Source, *, least: int, again: bool) -> Run:
        trigger = Run.Trigger.COMMAND
        if again:
            run = retrain.readmit(source, trigger=trigger, least=least)
        else:
            run = retrain.ask(
                trigger=trigger,
                least=least,
                without_labelers=source.labelers,
                without_visitors=source.visitors,
            )
        self.stderr.write(
            f"Run {run.pk} is queued: {run.snapshot.count} labels, from {run.parent}."
        )
        return run
