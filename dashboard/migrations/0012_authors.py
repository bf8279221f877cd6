"""Who drew the replay's items is counted; the worker counts all months again."""

from __future__ import annotations

from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F


def count_again(apps: Any, schema_editor: Any) -> None:
    apps.get_model("dashboard", "ReplayMonth").objects.update(changes=F("changes") + 1)


def count(help_text: str = "") -> models.PositiveIntegerField:
    return models.PositiveIntegerField(db_default=0, help_text=help_text)


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0011_read_events_once")]
    operations = [
        migrations.CreateModel(
            "MonthAuthors",
            [
                ("month", models.DateField(primary_key=True, serialize=False)),
                (
                    "counts",
                    models.BinaryField(help_text="Packed rows of `cube.authors.AUTHOR`."),
                ),
                (
                    "reading",
                    models.JSONField(
                        default=list, help_text="Sums for the likeness of one's drawings."
                    ),
                ),
                (
                    "pairs",
                    models.JSONField(
                        default=list, help_text="The same, for differences of two versions."
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            "VersionAuthors",
            [
                (
                    "version",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="predictions.modelversion",
                    ),
                ),
                ("authors", models.BinaryField(help_text="Their numbers, 8 bytes each.")),
            ],
        ),
        migrations.CreateModel(
            "MissingAudits",
            [
                ("month", models.DateField(primary_key=True, serialize=False)),
                (
                    "labeled",
                    models.PositiveIntegerField(
                        default=0, help_text="Not missing; to compare with."
                    ),
                ),
                (
                    "skipped",
                    models.PositiveIntegerField(default=0, help_text="Somebody passed it on."),
                ),
                (
                    "expired",
                    models.PositiveIntegerField(
                        default=0, help_text="Handed out and not answered."
                    ),
                ),
                (
                    "erased",
                    models.PositiveIntegerField(default=0, help_text="Before it was labeled."),
                ),
                (
                    "changed",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Labeled, but an admin's word stands,"
                        " who may have seen the guess.",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            "replay",
            "alike",
            models.FloatField(
                db_default=0.0,
                help_text="Correlation of two drawings by one person: are both read right?",
            ),
        ),
        migrations.AddField(
            "replay",
            "alike_in_pairs",
            models.FloatField(
                db_default=0.0,
                help_text="The same: does the same one of two versions read both right?",
            ),
        ),
        migrations.AddField("replay", "gold_answers", count()),
        migrations.AddField("replay", "gold_wrong", count("Of the answers to gold.")),
        migrations.AddField(
            "replaycell",
            "unseen",
            count("Of the n, by people whom the version never learned from."),
        ),
        migrations.AddField("replaycell", "unseen_right", count()),
        migrations.AddField(
            "replaypair", "unseen", count("Of the n, by people whom neither version learned from.")
        ),
        migrations.AddField("replaypair", "unseen_better", count()),
        migrations.AddField("replaypair", "unseen_worse", count()),
        migrations.RunPython(count_again, migrations.RunPython.noop, elidable=True),
    ]
