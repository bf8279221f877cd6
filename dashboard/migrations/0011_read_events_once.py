"""Events are read once, when none before them can appear; what appeared late before is read now."""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.db.models import F, Value
from django.db.models.functions import Greatest

LATE_EVENTS = 20_000  # keys that each pass read again until now


def read_the_last_ones_again(apps: Any, schema_editor: Any) -> None:
    back = Greatest(F("last_event") - LATE_EVENTS, Value(0))
    apps.get_model("dashboard", "Replay").objects.update(last_event=back)


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0010_right_by_both")]
    operations = [
        migrations.RemoveField("replay", "events_seen"),
        migrations.RunPython(read_the_last_ones_again, migrations.RunPython.noop, elidable=True),
    ]
