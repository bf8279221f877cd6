from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("training", "0014_trial_said")]
    operations = [
        migrations.AddField(
            "trial",
            "figures",
            models.JSONField(
                null=True,
                help_text="What it showed, if it ended without a report; stored before its readings go.",
            ),
        ),
    ]
