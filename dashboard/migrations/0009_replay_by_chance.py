"""The replay is counted by the chance of being audited; the worker counts all months again."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models
from django.db.models import F

CHANCE = models.PositiveIntegerField(
    db_default=0, help_text="Of being audited, in millionths; 0 until it is counted again."
)


def count_again(apps: Any, schema_editor: Any) -> None:
    apps.get_model("dashboard", "ReplayMonth").objects.update(changes=F("changes") + 1)


def start_again(apps: Any, schema_editor: Any) -> None:
    for name in ("ReplayCell", "ReplayPair"):
        apps.get_model("dashboard", name).objects.all().delete()
    count_again(apps, schema_editor)


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0008_demo_is_whole")]
    operations = [
        migrations.AddField("replaycell", "chance", CHANCE),
        migrations.AddField("replaypair", "chance", CHANCE),
        migrations.RemoveConstraint("replaycell", "one_replay_cell_a_place"),
        migrations.RemoveConstraint("replaypair", "one_replay_pair_a_place"),
        migrations.AddConstraint(
            "replaycell",
            models.UniqueConstraint(
                fields=["month", "version", "digit", "chance"], name="one_replay_cell_a_stratum"
            ),
        ),
        migrations.AddConstraint(
            "replaypair",
            models.UniqueConstraint(
                fields=["first", "second", "month", "digit", "chance"],
                name="one_replay_pair_a_stratum",
            ),
        ),
        migrations.AlterField(
            "replaycell", "weight_squares", models.FloatField(help_text="Sum of the squares.")
        ),
        migrations.RunPython(count_again, start_again, elidable=True),
    ]
