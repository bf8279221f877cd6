"""Predictions are passed once none before them can appear; those of the last time are read again."""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.db.models import F, Value
from django.db.models.functions import Greatest

LOOK_FAR_BACK = 100_000  # keys that were read again every minute until now


def read_the_last_ones_again(apps: Any, schema_editor: Any) -> None:
    back = Greatest(F("last_prediction") - LOOK_FAR_BACK, Value(0))
    apps.get_model("labeling", "Intake").objects.update(last_prediction=back)


class Migration(migrations.Migration):
    dependencies = [("labeling", "0013_labeler_alerts")]
    operations = [
        migrations.RunPython(read_the_last_ones_again, migrations.RunPython.noop, elidable=True)
    ]
