from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("labeling", "0015_audits_in_random_order")]
    operations = [
        migrations.AddField(
            model_name="intake",
            name="learned_before",
            field=models.BigIntegerField(
                help_text="While a run learns: up to this event, earlier runs had learned.",
                null=True,
            ),
        ),
    ]
