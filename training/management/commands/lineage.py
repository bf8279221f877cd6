from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from labeling.models import LabelEvent
from predictions.models import ModelVersion, Prediction
from training.models import Run
from training.snapshots.lineage import NOBODY, Lineage, labelers_of, lineage_of


class Command(BaseCommand):
    help = (
        "Walk from a prediction to the version that made it, the labels that taught that and who "
        "gave them; and from its own label to the versions that learned from it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("prediction", type=UUID, help="the id in the address of its page")
        parser.add_argument("--json", action="store_true", help="print one line of JSON")

    def handle(self, *args: Any, prediction: UUID, **options: Any) -> None:
        found = (
            Prediction.objects.filter(public_id=prediction)
            .select_related("version__parent")
            .defer("glyph")
            .first()
        )
        if found is None:
            raise CommandError(f"There is no prediction {prediction}.")
        lineage = lineage_of(found)
        if options["json"]:
            self.stdout.write(json.dumps(lineage.as_json()))
        else:
            self.tell(lineage)

    def tell(self, lineage: Lineage) -> None:
        made = lineage.prediction
        self.stdout.write(
            f"prediction {made.public_id}: read as {made.digit} ({made.confidence:.1%}), "
            f"{made.created_at:%Y-%m-%d %H:%M} UTC"
        )
        for depth, (version, run) in enumerate(lineage.chain):
            self.tell_version(version, run, made_by="by" if depth == 0 else "made from")
        self.stdout.write("its label")
        if lineage.label is None:
            self.stdout.write("  nobody has labeled it")
            return
        self.stdout.write(f"  {lineage.label.value}, {lineage.label.get_state_display()}")
        events = LabelEvent.objects.filter(prediction=made).select_related("labeler")
        for event in events.order_by("pk"):
            who = event.labeler.get_username() if event.labeler else NOBODY
            said = "took one back" if event.is_reversal else event.value
            self.stdout.write(f"  event {event.pk}: {who}, {event.kind}, {said}")
        if not lineage.contained_in:
            self.stdout.write("  no version has learned from it")
        for containing in lineage.contained_in:
            how = "itself" if containing.labels else f"through {containing.through}"
            name, state = containing.version.name, containing.version.state
            self.stdout.write(f"  learned by {name} ({state}), {how}")

    def tell_version(self, version: ModelVersion, run: Run | None, *, made_by: str) -> None:
        self.stdout.write(f"{made_by} {version.name} ({version.state})")
        if run is None:
            self.stdout.write("  no run made it: trained from nothing")
            return
        self.stdout.write(
            f"  run {run.pk}, asked for by {run.get_trigger_display()}, "
            f"snapshot {run.snapshot.digest[:12]} of {run.snapshot.count} labels"
        )
        for name, labels in labelers_of(run):
            self.stdout.write(f"    {name}: {labels}")
