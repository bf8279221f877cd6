from __future__ import annotations

from typing import Any

from django.db import migrations
from django.db.models import F, FloatField, OuterRef, Subquery
from django.db.models.functions import Cast, ExtractMonth, ExtractYear, Random


def order_at_random(apps: Any, schema_editor: Any) -> None:
    """Audits come by month, and at random within one."""
    predictions = apps.get_model("predictions", "Prediction").objects.filter(pk=OuterRef("pk"))
    month = 12 * ExtractYear(F("day")) + ExtractMonth(F("day"))
    months = Subquery(predictions.values(month=Cast(month, FloatField())))
    audits = apps.get_model("labeling", "QueueItem").objects.filter(origin="audit", stream="audit")
    audits.update(rank=months + Random())


class Migration(migrations.Migration):
    dependencies = [("labeling", "0014_read_predictions_once")]
    operations = [migrations.RunPython(order_at_random, migrations.RunPython.noop)]
