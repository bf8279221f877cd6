from __future__ import annotations

import django.utils.timezone
from django.db import migrations, models

from predictions.access.roles import grant

ALLOWED = {"admin": ["training.view_backup", "training.view_system"]}


def allow(apps, schema_editor):
    grant(apps, ALLOWED)


class Migration(migrations.Migration):
    dependencies = [
        ("training", "0003_snapshot_holdout"),
    ]

    operations = [
        migrations.CreateModel(
            name="Backup",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("done", "Done"), ("failed", "Failed")], max_length=6
                    ),
                ),
                ("path", models.CharField(max_length=500)),
                ("host", models.CharField(max_length=100)),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("size", models.BigIntegerField(help_text="Bytes.", null=True)),
                ("sha256", models.CharField(blank=True, help_text="Of the file.", max_length=64)),
                (
                    "rows",
                    models.JSONField(default=dict, help_text="How many of each table are in it."),
                ),
                ("reason", models.TextField(blank=True, help_text="Why it failed, in words.")),
            ],
            options={
                "ordering": ["-pk"],
                "permissions": [("view_system", "Can look at the system page")],
                "default_permissions": ("view",),
            },
        ),
        migrations.AddField(
            model_name="run",
            name="request_id",
            field=models.CharField(
                blank=True,
                help_text="The request or job that asked; its log lines have it.",
                max_length=64,
            ),
        ),
        migrations.RunPython(allow, migrations.RunPython.noop),
    ]
