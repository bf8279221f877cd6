import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("training", "0011_trials"),
    ]

    operations = [
        migrations.AlterField(
            model_name="message",
            name="endpoint",
            field=models.ForeignKey(
                help_text="None: e-mail to trainers or reviewers.",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                to="training.endpoint",
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
                    ("labeler.below", "a labeler is clearly below the others"),
                ],
                max_length=20,
            ),
        ),
    ]
