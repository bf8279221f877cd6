import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import predictions.database.clock


class Migration(migrations.Migration):
    dependencies = [
        ("labeling", "0012_unnamed_priorities"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="LabelerAlert",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "figures",
                    models.JSONField(
                        help_text="Wrong answers and answers, the labeler's and others'."
                    ),
                ),
                ("raised_at", models.DateTimeField(db_default=predictions.database.clock.Moment())),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "ended_by",
                    models.ForeignKey(
                        help_text="The reviewer who dealt with it; empty if the evidence is gone.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "labeler",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="labeler_alerts",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("labeler",),
                        name="one_open_alert_a_labeler",
                    )
                ],
            },
        ),
    ]
