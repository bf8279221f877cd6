from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("labeling", "0011_gold_by_itself")]
    operations = [migrations.RemoveField(model_name="wanted", name="why")]
