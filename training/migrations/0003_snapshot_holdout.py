from __future__ import annotations

from django.db import migrations, models

from predictions.access.roles import grant

SEE_JOBS = [
    "django_q.view_schedule",
    "django_q.change_schedule",
    "django_q.view_success",
    "django_q.view_failure",
    "django_q.view_ormq",
]
ALLOWED = {"trainer": SEE_JOBS, "admin": SEE_JOBS}


def allow(apps, schema_editor):
    grant(apps, ALLOWED)


class Migration(migrations.Migration):
    dependencies = [
        ("training", "0002_roles"),
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
    ]
    operations = [
        migrations.AddField(
            model_name="snapshot",
            name="holdout",
            field=models.JSONField(
                default=list,
                help_text="[event, digit] of the held-out labels as they stood; they choose the epoch.",
            ),
        ),
        migrations.RunPython(allow, migrations.RunPython.noop),
    ]
