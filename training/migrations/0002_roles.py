from __future__ import annotations

from django.db import migrations

from predictions.access.roles import grant

LOOK = [
    "training.view_run",
    "training.view_snapshot",
    "training.view_gatereport",
    "training.view_promotion",
]
ALLOWED = {
    "reviewer": ["training.view_run"],
    "trainer": [*LOOK, "training.start_run", "training.promote_version"],
    "analyst": LOOK,
    "admin": [*LOOK, "training.start_run", "training.promote_version"],
}


def make_roles(apps, schema_editor):
    grant(apps, ALLOWED)


class Migration(migrations.Migration):
    dependencies = [("training", "0001_initial"), ("labeling", "0002_roles")]
    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
