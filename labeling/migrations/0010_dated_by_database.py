from __future__ import annotations

from django.db import migrations

from predictions.database.clock import dated


class Migration(migrations.Migration):
    dependencies = [("labeling", "0009_selection")]
    operations = [
        dated("batch", "made_at"),
        dated("gold", "added_at"),
        dated("labelevent", "created_at"),
        dated("skip", "created_at"),
    ]
