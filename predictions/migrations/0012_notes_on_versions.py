from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("predictions", "0011_best_made_here")]
    operations = [
        migrations.AddField(
            model_name="modelversion",
            name="note",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
        migrations.AddField(
            model_name="modelversion",
            name="tags",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Separated by spaces.",
                max_length=200,
            ),
        ),
    ]
