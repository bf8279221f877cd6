"""The state of the counts, for caching figures."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Subquery, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from dashboard.models import Mark
from predictions.models import ModelVersion
from training.models import Promotion


@dataclass(frozen=True, slots=True)
class Position:
    """The state of everything a figure is computed from."""

    marks: tuple[int, ...]  # predictions, events, times the counts were written, promotions
    version_id: int | None  # of the version in the filters; None if there is none
    more: object = None  # the state of the figure's other sources


def position(version: str = "", more: Combinable | None = None) -> Position:
    """One query; `more` is the state of the figure's other sources, as SQL."""
    newest = Promotion.objects.order_by("-pk").values("pk")[:1]
    named = ModelVersion.objects.filter(name=version).values_list("pk", flat=True)[:1]
    row = (
        Mark.objects.annotate(
            promotion=Coalesce(Subquery(newest), Value(0)),
            named=Subquery(named),
            more=Value("") if more is None else more,
        )
        .values_list("prediction", "event", "changes", "promotion", "named", "more")
        .first()
    )
    if row is None:  # nothing is counted yet
        said = ModelVersion.objects.annotate(more=more).values_list("more") if more else None
        return Position((0, 0, 0, 0), named.first() if version else None, said and said.first())
    return Position(row[:4], row[4], row[5])
