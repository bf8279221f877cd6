from __future__ import annotations

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("predictions", "0006_demo_source"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="prediction",
            index=models.Index(
                condition=models.Q(("erased_at__isnull", False)),
                fields=["erased_at"],
                name="prediction_erased",
            ),
        ),
    ]
