"""Pages by key: each names the row it follows, so page 100,000 costs what page 1 costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from rest_framework import serializers

from predictions.models import Prediction, PredictionQuerySet

PAGE = 50
PAGE_MOST = 100


class PageQuery(serializers.Serializer[Any]):
    before = serializers.UUIDField(
        required=False, help_text="The id of the last prediction on the page before."
    )
    limit = serializers.IntegerField(
        required=False, min_value=1, max_value=PAGE_MOST, help_text=f"{PAGE} unless told."
    )

    def validate(self, query: dict[str, Any]) -> dict[str, Any]:
        if unknown := set(self.initial_data) - set(self.fields):
            raise serializers.ValidationError(
                {name: ["There is no such parameter."] for name in sorted(unknown)}
            )
        return query


@dataclass(frozen=True, slots=True)
class Page:
    rows: list[Prediction]
    next_query: str  # empty on the last page


def page_of(rows: PredictionQuerySet, *, before: UUID | None = None, limit: int = PAGE) -> Page:
    """The newest rows, or those that came before the one named."""
    if before is not None:
        key = Prediction.objects.filter(public_id=before).values("pk")[:1]
        rows = rows.filter(pk__lt=key)
    found = list(rows.order_by("-pk")[: limit + 1])
    shown = found[:limit]
    more = len(found) > limit
    query = urlencode({"before": shown[-1].public_id, "limit": limit}) if more else ""
    return Page(shown, query)
