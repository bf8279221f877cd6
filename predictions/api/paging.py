"""Keyset pagination: a page is named by the row before it, so every page costs the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Generic, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Model, QuerySet
from rest_framework import serializers

from predictions.api.endpoints import Query

Row = TypeVar("Row", bound=Model)
PAGE = 50
PAGE_MOST = 100


class PageQuery(Query):
    before = serializers.UUIDField(
        required=False, help_text="The id of the last row of the previous page."
    )
    limit = serializers.IntegerField(
        default=PAGE, min_value=1, max_value=PAGE_MOST, help_text=f"{PAGE} by default."
    )


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    rows: list[Row]
    next_query: str  # empty on the last page


def page_of(rows: QuerySet[Row], *, before: UUID | None = None, limit: int = PAGE) -> Page[Row]:
    """The newest rows, or those older than the row with the public id `before`."""
    if before is not None:
        key = rows.model._default_manager.filter(public_id=before).values("pk")[:1]
        rows = rows.filter(pk__lt=key)
    return cut(rows.order_by("-pk"), attrgetter("public_id"), limit)


def cut(rows: QuerySet[Row], name: Callable[[Row], object], limit: int = PAGE) -> Page[Row]:
    """The first rows, in the given order; the next page is named by the last of them."""
    found = list(rows[: limit + 1])
    shown = found[:limit]
    more = len(found) > limit
    return Page(shown, urlencode({"before": name(shown[-1]), "limit": limit}) if more else "")
