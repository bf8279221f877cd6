import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("labeling", "0006_arrivals"),
        ("predictions", "0008_import_source"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="labelevent",
            name="event_says_a_digit_or_unreadable_or_undoes",
        ),
        migrations.RemoveConstraint(
            model_name="labelevent",
            name="only_an_undo_reverses",
        ),
        migrations.AddField(
            model_name="labelevent",
            name="turn",
            field=models.PositiveSmallIntegerField(
                db_default=0, default=0, help_text="How often what it reverses was reversed before."
            ),
        ),
        migrations.AlterField(
            model_name="batch",
            name="kind",
            field=models.CharField(
                choices=[
                    ("correction", "bulk correction"),
                    ("grid", "confirmed on the grid"),
                    ("import", "imported"),
                    ("review", "sent to review"),
                    ("withdrawal", "withdrawn: everything of one labeler"),
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="labelevent",
            name="kind",
            field=models.CharField(
                choices=[
                    ("label", "a labeler's opinion"),
                    ("settle", "a reviewer's ruling"),
                    ("correct", "an admin's correction"),
                    ("undo", "takes another event back"),
                    ("redo", "takes an undo back"),
                ],
                max_length=7,
            ),
        ),
        migrations.AlterField(
            model_name="labelevent",
            name="reverses",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reversals",
                to="labeling.labelevent",
            ),
        ),
        migrations.AddConstraint(
            model_name="labelevent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("digit__isnull", True),
                        ("is_unreadable", False),
                        ("kind__in", ("undo", "redo")),
                    ),
                    models.Q(
                        models.Q(("kind__in", ("undo", "redo")), _negated=True),
                        ("digit__isnull", False),
                        ("is_unreadable", False),
                    ),
                    models.Q(
                        models.Q(("kind__in", ("undo", "redo")), _negated=True),
                        ("digit__isnull", True),
                        ("is_unreadable", True),
                    ),
                    _connector="OR",
                ),
                name="event_says_a_digit_or_unreadable_or_reverses",
            ),
        ),
        migrations.AddConstraint(
            model_name="labelevent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind__in", ("undo", "redo")), ("reverses__isnull", False)),
                    models.Q(
                        models.Q(("kind__in", ("undo", "redo")), _negated=True),
                        ("reverses__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="only_an_undo_or_a_redo_reverses",
            ),
        ),
        migrations.AddConstraint(
            model_name="labelevent",
            constraint=models.UniqueConstraint(
                fields=("reverses", "turn"), name="reversed_once_a_turn"
            ),
        ),
    ]
