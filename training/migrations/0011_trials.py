from __future__ import annotations

import django.db.models.deletion
import predictions.database.clock
from django.db import migrations, models

from predictions.access.roles import grant

LOOK = ["training.view_trial"]
ALLOWED = {"trainer": LOOK, "analyst": LOOK, "admin": LOOK}


def make_roles(apps, schema_editor):
    grant(apps, ALLOWED)


class Migration(migrations.Migration):
    dependencies = [
        ("predictions", "0010_dated_by_database"),
        ("training", "0010_every_label_teaches"),
    ]

    operations = [
        migrations.AddField(
            model_name="snapshot",
            name="last_prediction",
            field=models.BigIntegerField(
                help_text="The newest prediction then; later ones may judge what it teaches.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="gatereport",
            name="figures",
            field=models.JSONField(help_text="Everything it rests on."),
        ),
        migrations.AlterField(
            model_name="gatereport",
            name="look",
            field=models.PositiveIntegerField(
                help_text="The how-manieth against that live version; before trials, the look."
            ),
        ),
        migrations.AlterField(
            model_name="gatereport",
            name="verdict",
            field=models.CharField(
                choices=[("promote", "Promote"), ("reject", "Reject"), ("more", "not decided")],
                max_length=7,
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="kind",
            field=models.CharField(
                choices=[
                    ("run.finished", "a run finished"),
                    ("gate.verdict", "a trial was decided"),
                    ("version.promoted", "a version went live"),
                    ("version.rolled_back", "a version was taken back"),
                    ("labels.undone", "a batch of labels was taken back"),
                    ("labels.threshold", "enough new labels for a run"),
                    ("accuracy.fell", "accuracy fell"),
                ],
                max_length=20,
            ),
        ),
        migrations.CreateModel(
            name="Trial",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "number",
                    models.PositiveIntegerField(
                        help_text="The how-manieth against this live version; later ones need more evidence."
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("under_way", "under way"),
                            ("promoted", "Promoted"),
                            ("won", "won, waits to be promoted"),
                            ("no_better", "no better"),
                            ("harm", "reads something worse"),
                            ("overtaken", "set aside"),
                        ],
                        default="under_way",
                        max_length=9,
                    ),
                ),
                ("reason", models.TextField(blank=True, help_text="Why it ended, in words.")),
                (
                    "after_prediction",
                    models.BigIntegerField(help_text="Predictions after this one may judge."),
                ),
                (
                    "read_up_to",
                    models.BigIntegerField(default=0, help_text="The newest prediction read."),
                ),
                (
                    "base",
                    models.JSONField(
                        help_text="How both read MNIST; empty until they have.", null=True
                    ),
                ),
                ("began_at", models.DateTimeField(db_default=predictions.database.clock.Moment())),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "against",
                    models.ForeignKey(
                        help_text="The live version.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="predictions.modelversion",
                    ),
                ),
                (
                    "candidate",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="trials",
                        to="predictions.modelversion",
                    ),
                ),
                (
                    "report",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="trial",
                        to="training.gatereport",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="TrialReading",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("glyph_digest", models.UUIDField(help_text="Equal glyphs are read once.")),
                ("live_digit", models.PositiveSmallIntegerField()),
                ("live_confidence", models.FloatField()),
                ("candidate_digit", models.PositiveSmallIntegerField()),
                ("candidate_confidence", models.FloatField()),
                (
                    "prediction",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="predictions.prediction",
                    ),
                ),
                (
                    "trial",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="readings",
                        to="training.trial",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="trial",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "under_way")),
                fields=("candidate", "against"),
                name="one_trial_under_way_per_pair",
            ),
        ),
        migrations.AddConstraint(
            model_name="trial",
            constraint=models.UniqueConstraint(
                fields=("against", "number"), name="one_trial_of_a_number_per_live_version"
            ),
        ),
        migrations.AddConstraint(
            model_name="trialreading",
            constraint=models.UniqueConstraint(
                fields=("trial", "prediction"), name="read_once_a_trial"
            ),
        ),
        migrations.AddConstraint(
            model_name="trialreading",
            constraint=models.UniqueConstraint(
                fields=("trial", "glyph_digest"), name="glyph_read_once_a_trial"
            ),
        ),
        migrations.AddConstraint(
            model_name="trialreading",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("live_digit__gte", 0),
                    ("live_digit__lte", 9),
                    ("candidate_digit__gte", 0),
                    ("candidate_digit__lte", 9),
                ),
                name="trial_reads_digits",
            ),
        ),
        migrations.RunPython(make_roles, migrations.RunPython.noop),
    ]
