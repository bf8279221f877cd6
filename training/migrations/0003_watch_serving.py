from __future__ import annotations

from django.db import migrations

NAME = "watch serving"


def make_schedule(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.update_or_create(
        name=NAME,
        defaults={"func": "training.tasks.watch_serving", "schedule_type": "I", "minutes": 1},
    )


def remove_schedule(apps, schema_editor):
    apps.get_model("django_q", "Schedule").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [("training", "0002_roles"), ("django_q", "0018_task_success_index")]
    operations = [migrations.RunPython(make_schedule, remove_schedule)]
