from __future__ import annotations

from django.db import migrations

from predictions.database.clock import dated


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0006_forget_map_ids")]
    operations = [
        dated("check", "made_at"),
        dated("demo", "made_at"),
        dated("digitmap", "made_at"),
        dated("mark", "moved_at"),
        dated("replay", "worked_at"),
        dated("rreport", "asked_at"),
        dated("rreport", "changed_at"),
    ]
