from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("predictions", "0007_erased_index"),
    ]

    operations = [
        migrations.AlterField(
            model_name="prediction",
            name="source",
            field=models.CharField(
                choices=[
                    ("draw", "drawn on the page"),
                    ("upload", "uploaded on the page"),
                    ("api", "sent by a program"),
                    ("batch", "sent by a program in a batch"),
                    ("demo", "made up by seed_demo"),
                    ("import", "imported"),
                ],
                max_length=6,
            ),
        ),
    ]
