"""Labels that earlier snapshots hold count as handed to a run."""

from typing import Any

from django.db import migrations
from django.db.models import Max


def note(apps: Any, schema_editor: Any) -> None:
    last = apps.get_model("training", "Snapshot").objects.aggregate(last=Max("last_event"))["last"]
    if last is not None:
        intake = apps.get_model("labeling", "Intake").objects
        intake.get_or_create(pk=1)
        intake.filter(pk=1).update(last_learned=last)


class Migration(migrations.Migration):
    dependencies = [
        ("training", "0006_accuracy_fell"),
        ("labeling", "0008_last_learned"),
    ]

    operations = [migrations.RunPython(note, migrations.RunPython.noop)]
