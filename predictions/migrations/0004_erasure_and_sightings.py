from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("predictions", "0003_feedback_by_time"),
    ]

    operations = [
        migrations.AddField(
            model_name="prediction",
            name="erased_at",
            field=models.DateTimeField(
                blank=True,
                help_text="Since then it has no picture, no owner and another id.",
                null=True,
            ),
        ),
        migrations.CreateModel(
            name="Sighting",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=20)),
                ("host", models.CharField(max_length=100)),
                (
                    "count",
                    models.PositiveIntegerField(
                        default=1, help_text="Once an hour a process at most."
                    ),
                ),
                ("last_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("kind", "host"), name="one_sighting_a_kind_a_host"
                    )
                ],
            },
        ),
    ]
