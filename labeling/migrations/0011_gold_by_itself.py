from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("labeling", "0010_dated_by_database")]

    operations = [
        migrations.AddField(
            model_name="gold",
            name="is_automatic",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Chosen by lot, until everybody answered it.",
            ),
        ),
        migrations.AddField(
            model_name="intake",
            name="last_gold",
            field=models.BigIntegerField(
                db_default=0,
                default=0,
                help_text="Labels up to this event have had their chance of gold.",
            ),
        ),
    ]
