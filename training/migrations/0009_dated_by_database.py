from __future__ import annotations

from django.db import migrations

from predictions.database.clock import dated


class Migration(migrations.Migration):
    dependencies = [("training", "0008_snapshot_events")]
    operations = [
        dated("backup", "ended_at"),
        dated("endpoint", "created_at", editable=False),
        dated("epoch", "ended_at"),
        dated("gatereport", "made_at"),
        dated("message", "happened_at"),
        dated("message", "next_at"),
        dated("promotion", "made_at"),
        dated("run", "asked_at"),
        dated("snapshot", "created_at"),
    ]
