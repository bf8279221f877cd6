"""Where the counts stand."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Subquery, Value
from django.db.models.functions import Coalesce

from dashboard.models import Mark
from predictions.models import ModelVersion
from training.models import Promotion


@dataclass(frozen=True, slots=True)
class Position:
    """How far everything a figure rests on has come."""

    marks: tuple[int, ...]  # predictions, events, times the counts were written, promotions
    version_id: int | None  # of the version that was named


def position(version: str = "") -> Position:
    """One query."""
    newest = Promotion.objects.order_by("-pk").values("pk")[:1]
    named = ModelVersion.objects.filter(name=version).values_list("pk", flat=True)[:1]
    row = (
        Mark.objects.annotate(promotion=Coalesce(Subquery(newest), Value(0)), named=Subquery(named))
        .values_list("prediction", "event", "changes", "promotion", "named")
        .first()
    )
    if row is None:
        return Position((0, 0, 0, 0), named.first() if version else None)
    return Position(row[:4], row[4])
