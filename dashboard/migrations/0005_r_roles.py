from __future__ import annotations

from django.db import migrations

from predictions.access.roles import grant

ALLOWED = {role: ["dashboard.draw_in_r"] for role in ("analyst", "trainer", "admin")}


def make_roles(apps, schema_editor):
    grant(apps, ALLOWED)


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0004_r_report"), ("training", "0002_roles")]
    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
