"""Writing counts. The caller moves the marks first, which locks out other writers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Model, QuerySet

from dashboard.cube.tally import SUM_FIELDS, FlowKey, Key, SumKey, Tally, sums_of
from dashboard.fields import Counts
from dashboard.models import Cell, MonthFlow, MonthSums
from predictions.database.slices import chunks

AT_ONCE = 500  # cells in one statement
ADD = """
INSERT INTO dashboard_cell (day, version_id, predicted, label, bin, stream, source, is_settled,
  chance, count, confidence) VALUES {rows}
ON CONFLICT (day, version_id, predicted, label, bin, stream, source, is_settled, chance)
DO UPDATE SET count = dashboard_cell.count + excluded.count,
  confidence = dashboard_cell.confidence + excluded.confidence"""
ROW = f"({', '.join(['%s'] * 11)})"
SWEEP = "DELETE FROM dashboard_cell WHERE count = 0"


def add(tally: Tally) -> None:
    """Add the tally to cells, sums and flows."""
    changed = tally.changed
    add_cells(changed)
    sums = sums_of(changed)
    add_packed(MonthSums, SumKey, {key: dict(vars(each)) for key, each in sums.items()}, SUM_FIELDS)
    flows = {key: {"acts": np.array(acts)} for key, acts in tally.flows.items()}
    add_packed(MonthFlow, FlowKey, flows, ("acts",))


def add_cells(cells: Mapping[Key, tuple[int, int]]) -> None:
    with connection.cursor() as cursor:
        for some in chunks(sorted(cells.items()), AT_ONCE):
            given = [value for key, counts in some for value in (*adapted(key), *counts)]
            cursor.execute(ADD.format(rows=", ".join([ROW] * len(some))), given)
        cursor.execute(SWEEP)


def adapted(key: Key) -> Iterable[Any]:
    return (connection.ops.adapt_datefield_value(key.day), *key[1:])


def add_packed(
    table: type[Model],
    key_type: type[SumKey] | type[FlowKey],
    changed: Mapping[Any, Mapping[str, Counts]],
    fields: Sequence[str],
) -> None:
    """Read the rows that change, add to them, and write them back."""
    months = {key.month for key in changed}
    stored = packed(table._default_manager.filter(month__in=months), key_type, fields)
    rows = []
    for key, change in changed.items():
        now = {
            name: counts + stored[key][name] if key in stored else counts
            for name, counts in change.items()
        }
        rows.append(table(**key._asdict(), **now))
    table._default_manager.bulk_create(
        rows,
        batch_size=AT_ONCE,
        update_conflicts=True,
        unique_fields=list(key_type._fields),
        update_fields=list(fields),
    )


def packed(
    rows: QuerySet[Any], key_type: type[SumKey] | type[FlowKey], fields: Sequence[str]
) -> dict[Any, dict[str, Counts]]:
    """The rows' arrays by key."""
    width = len(key_type._fields)
    return {
        key_type._make(row[:width]): dict(zip(fields, row[width:], strict=True))
        for row in rows.values_list(*key_type._fields, *fields)
    }


def cells_of(month: date, until: date) -> dict[Key, tuple[int, int]]:
    """The cells of the days from `month` to before `until`."""
    rows = Cell.objects.filter(day__gte=month, day__lt=until)
    width = len(Key._fields)
    return {
        Key._make(row[:width]): (row[width], row[width + 1])
        for row in rows.values_list(*Key._fields, "count", "confidence").iterator()
    }
