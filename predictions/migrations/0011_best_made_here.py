"""Today's best score leaves out imported images by the index alone."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("predictions", "0010_dated_by_database")]
    operations = [
        migrations.AddIndex(
            "prediction",
            models.Index(fields=["day", "-confidence", "source"], name="prediction_best_made_here"),
        ),
        migrations.RemoveIndex("prediction", "prediction_best_of_day"),
    ]
