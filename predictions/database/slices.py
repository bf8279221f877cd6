"""Long tables, some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from django.db.models import QuerySet

Rows = TypeVar("Rows", bound="QuerySet[Any]")


def slices(rows: Rows, size: int, *, after: int = 0) -> Iterator[Rows]:
    """So many rows at a time, in the order of their keys.

    Each slice names its keys: asked for all above one key, PostgreSQL would merge in what belongs
    to them from its very first row, once a slice.
    """
    keys = rows.order_by("pk").values_list("pk", flat=True)
    while found := list(keys.filter(pk__gt=after)[:size]):
        yield rows.filter(pk__in=found).order_by("pk")
        after = found[-1]
