from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def fill_digits(apps, schema_editor):
    item_model = apps.get_model("labeling", "QueueItem")
    prediction_model = apps.get_model("predictions", "Prediction")
    guess = prediction_model.objects.filter(pk=OuterRef("pk")).values("digit")
    item_model.objects.update(digit=Subquery(guess))


class Migration(migrations.Migration):
    dependencies = [
        ("labeling", "0003_places"),
        ("predictions", "0002_roles"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Ask",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "score",
                    models.FloatField(
                        help_text="How suspicious its label was, if that is why.", null=True
                    ),
                ),
                (
                    "digit",
                    models.PositiveSmallIntegerField(
                        help_text="What its label said then; empty for none and for unreadable.",
                        null=True,
                    ),
                ),
                ("rank", models.FloatField(help_text="The place it was given.")),
                ("was_rank", models.FloatField()),
                ("was_review_after", models.BigIntegerField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="SavedView",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=40)),
                ("querystring", models.CharField(blank=True, max_length=500)),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.AddField(
            model_name="queueitem",
            name="digit",
            field=models.PositiveSmallIntegerField(
                default=0, help_text="The guess; the grid is ordered by it."
            ),
            preserve_default=False,
        ),
        migrations.RunPython(fill_digits, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="batch",
            name="kind",
            field=models.CharField(
                choices=[
                    ("correction", "bulk correction"),
                    ("grid", "confirmed on the grid"),
                    ("import", "imported"),
                    ("review", "sent to review"),
                ],
                max_length=10,
            ),
        ),
        migrations.AddIndex(
            model_name="queueitem",
            index=models.Index(
                condition=models.Q(("is_open", True)),
                fields=["stream", "digit", "-score", "prediction"],
                name="queue_grid",
            ),
        ),
        migrations.AddConstraint(
            model_name="queueitem",
            constraint=models.CheckConstraint(
                condition=models.Q(("digit__gte", 0), ("digit__lte", 9)),
                name="queue_item_is_a_digit",
            ),
        ),
        migrations.AddField(
            model_name="ask",
            name="batch",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="asks",
                to="labeling.batch",
            ),
        ),
        migrations.AddField(
            model_name="ask",
            name="prediction",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="asks",
                to="predictions.prediction",
            ),
        ),
        migrations.AddField(
            model_name="savedview",
            name="owner",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="saved_views",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="ask",
            constraint=models.UniqueConstraint(
                fields=("batch", "prediction"), name="asked_once_a_batch"
            ),
        ),
        migrations.AddConstraint(
            model_name="savedview",
            constraint=models.UniqueConstraint(
                fields=("owner", "name"), name="one_saved_view_of_a_name"
            ),
        ),
    ]
