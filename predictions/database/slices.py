"""Read long tables some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from django.db.models import QuerySet

Rows = TypeVar("Rows", bound="QuerySet[Any]")


def slices(rows: Rows, size: int, *, after: int = 0) -> Iterator[Rows]:
    """Yield `size` rows at a time, in the order of their keys.

    Each slice lists its keys. With "pk > after" instead, PostgreSQL would merge-join other tables
    from their first row, in every slice.
    """
    keys = rows.order_by("pk").values_list("pk", flat=True)
    while found := list(keys.filter(pk__gt=after)[:size]):
        yield rows.filter(pk__in=found).order_by("pk")
        after = found[-1]
