"""Read long tables and long lists some rows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from django.db.models import QuerySet

Rows = TypeVar("Rows", bound="QuerySet[Any]")
Item = TypeVar("Item")


def slices(rows: Rows, size: int, *, after: int = 0) -> Iterator[Rows]:
    """Yield `size` rows at a time, in the order of their keys.

    Each slice lists its keys. With "pk > after" instead, PostgreSQL would merge-join other tables
    from their first row, in every slice.
    """
    keys = rows.order_by("pk").values_list("pk", flat=True)
    while found := list(keys.filter(pk__gt=after)[:size]):
        yield rows.filter(pk__in=found).order_by("pk")
        after = found[-1]


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield `size` items at a time: databases limit the parameters of a query."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some
