from __future__ import annotations

import dashboard.fields
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("predictions", "0003_feedback_by_time"),
    ]

    operations = [
        migrations.CreateModel(
            name="Check",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "months",
                    models.PositiveIntegerField(
                        help_text="How many were looked at, the newest first."
                    ),
                ),
                ("of_months", models.PositiveIntegerField()),
                (
                    "differences",
                    models.PositiveIntegerField(
                        help_text="Rows that were not what they should be."
                    ),
                ),
                ("seconds", models.FloatField()),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="Mark",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "prediction",
                    models.BigIntegerField(default=0, help_text="Every key up to it is counted."),
                ),
                (
                    "event",
                    models.BigIntegerField(
                        default=0, help_text="Labels are counted as they stood then."
                    ),
                ),
                (
                    "changes",
                    models.BigIntegerField(
                        default=0, help_text="How often the counts were written."
                    ),
                ),
                ("moved_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "busy_until",
                    models.DateTimeField(help_text="Somebody counts; others need not.", null=True),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("pk", 1)), name="one_mark")
                ],
            },
        ),
        migrations.CreateModel(
            name="Cell",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "day",
                        "version",
                        "predicted",
                        "label",
                        "bin",
                        "stream",
                        "source",
                        "is_settled",
                        "chance",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "day",
                    models.DateField(help_text="It was drawn on, in the configured time zone."),
                ),
                ("predicted", models.PositiveSmallIntegerField()),
                (
                    "label",
                    models.PositiveSmallIntegerField(help_text="0 to 9, 10 unreadable, 11 none."),
                ),
                (
                    "bin",
                    models.PositiveSmallIntegerField(
                        help_text="Of confidence: between which EDGES."
                    ),
                ),
                (
                    "stream",
                    models.CharField(
                        blank=True,
                        help_text="audit, or the stream of the label that stands.",
                        max_length=8,
                    ),
                ),
                ("source", models.CharField(max_length=6)),
                ("is_settled", models.BooleanField()),
                (
                    "chance",
                    models.PositiveIntegerField(help_text="Of being audited, in millionths."),
                ),
                ("count", models.BigIntegerField()),
                ("confidence", models.BigIntegerField(help_text="Added up, in millionths.")),
                (
                    "version",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="predictions.modelversion",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("count", 0)), fields=["day"], name="cell_emptied"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="MonthFlow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("month", models.DateField(help_text="Its first day.")),
                ("source", models.CharField(max_length=6)),
                (
                    "stream",
                    models.CharField(
                        blank=True, help_text="They were shown it from.", max_length=8
                    ),
                ),
                (
                    "acts",
                    dashboard.fields.CountsField(
                        dtype="<i4", help_text="By day and act.", shape=(31, 10)
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="predictions.modelversion",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("month", "version", "source", "stream"), name="one_flow_of_a_month"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="MonthSums",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("month", models.DateField(help_text="Its first day.")),
                ("source", models.CharField(max_length=6)),
                ("stream", models.CharField(blank=True, max_length=8)),
                ("chance", models.PositiveIntegerField()),
                (
                    "readings",
                    dashboard.fields.CountsField(
                        dtype="<i4",
                        help_text="By predicted, label, and whether it is settled.",
                        shape=(10, 12, 2),
                    ),
                ),
                (
                    "days",
                    dashboard.fields.CountsField(
                        dtype="<i4",
                        help_text="By day and label: drawings, read right, settled.",
                        shape=(31, 12, 3),
                    ),
                ),
                (
                    "confidences",
                    dashboard.fields.CountsField(
                        dtype="<i4", help_text="By predicted and bin.", shape=(10, 20)
                    ),
                ),
                (
                    "confidence",
                    dashboard.fields.CountsField(
                        dtype="<i8", help_text="By predicted, added up, in millionths.", shape=(10,)
                    ),
                ),
                (
                    "judged",
                    dashboard.fields.CountsField(
                        dtype="<i4",
                        help_text="By predicted and bin: labeled readable, read right.",
                        shape=(10, 20, 2),
                    ),
                ),
                (
                    "judged_confidence",
                    dashboard.fields.CountsField(
                        dtype="<i8",
                        help_text="Of the readable, added up, in millionths.",
                        shape=(10, 20),
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="predictions.modelversion",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("stream", "month", "version", "source", "chance"),
                        name="one_sum_of_a_month",
                    )
                ],
            },
        ),
    ]
