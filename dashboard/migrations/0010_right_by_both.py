"""Pairs count the drawings that both versions read right; the worker counts all months again."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models
from django.db.models import F


def count_again(apps: Any, schema_editor: Any) -> None:
    apps.get_model("dashboard", "ReplayMonth").objects.update(changes=F("changes") + 1)


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0009_replay_by_chance")]
    operations = [
        migrations.AddField(
            "replaypair",
            "both",
            models.PositiveIntegerField(
                null=True, help_text="Both right; null until it is counted again."
            ),
        ),
        migrations.RunPython(count_again, migrations.RunPython.noop, elidable=True),
    ]
