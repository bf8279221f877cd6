"""Points on a map copied the ids of drawings, and kept them when the drawings were erased."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0005_r_roles")]
    operations = [migrations.RemoveField(model_name="mappoint", name="public_id")]
