"""The cube counted in another way: one statement over predictions and the labels that stand."""

from __future__ import annotations

from typing import Any

import numpy as np
from django.db import connection

from dashboard.axes import EDGES
from dashboard.cube.counting import catch_up
from dashboard.cube.tally import Key
from dashboard.models import Cell, MonthFlow, MonthSums
from predictions.months import month_of

BIN = " + ".join(f"CASE WHEN p.confidence >= {edge} THEN 1 ELSE 0 END" for edge in EDGES[1:-1])
GROUPS = f"""
SELECT p.day, p.version_id, p.digit,
  CASE WHEN l.prediction_id IS NULL THEN 11 WHEN l.digit IS NULL THEN 10 ELSE l.digit END,
  {BIN},
  CASE WHEN p.is_audit THEN 'audit' WHEN e.id IS NULL THEN '' ELSE e.stream END,
  p.source, COALESCE(l.state = 'settled', p.id IS NULL),
  CAST(ROUND(CAST(p.audit_probability * 1000000 AS NUMERIC)) AS INTEGER),
  COUNT(*), SUM(CAST(ROUND(CAST(p.confidence * 1000000 AS NUMERIC)) AS BIGINT))
FROM predictions_prediction AS p LEFT JOIN labeling_label AS l ON l.prediction_id = p.id
LEFT JOIN labeling_labelevent AS e ON e.id = l.event_id
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9"""

ARRAYS = ("readings", "days", "confidences", "confidence", "judged", "judged_confidence")


def recount() -> dict[Key, tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(GROUPS)
        rows = cursor.fetchall()
    found = {}
    for day, *rest in rows:
        key = Key(day, *rest[:8])._replace(is_settled=bool(rest[6]))
        found[key] = (int(rest[8]), int(rest[9]))
    return found


def stored() -> dict[Key, tuple[int, int]]:
    rows = Cell.objects.values_list(*Key._fields, "count", "confidence")
    return {Key._make(row[:-2]): (row[-2], row[-1]) for row in rows}


def check() -> None:
    """Everything that is there is counted once, and every sum is the sum of its cells."""
    catch_up()
    cells = recount()
    assert stored() == cells
    check_sums(cells)
    check_flow(cells)


def check_sums(cells: dict[Key, tuple[int, int]]) -> None:
    """Each array of each row of sums, built again from the cells it stands for."""
    expected: dict[Any, MonthSums] = {}
    for key, (count, confidence) in cells.items():
        place = (month_of(key.day), key.version_id, key.source, key.stream, key.chance)
        sums = expected.setdefault(place, MonthSums())
        right = count if key.predicted == key.label else 0
        sums.readings[key.predicted, key.label, int(key.is_settled)] += count
        sums.days[key.day.day - 1, key.label, 0] += count
        sums.days[key.day.day - 1, key.label, 1] += right
        sums.days[key.day.day - 1, key.label, 2] += count if key.is_settled else 0
        sums.confidences[key.predicted, key.bin] += count
        sums.confidence[key.predicted] += confidence
        if key.label < 10:
            sums.judged[key.predicted, key.bin, 0] += count
            sums.judged[key.predicted, key.bin, 1] += right
            sums.judged_confidence[key.predicted, key.bin] += confidence
    for found in MonthSums.objects.all():
        place = (found.month, found.version_id, found.source, found.stream, found.chance)
        wanted = expected.pop(place, MonthSums())  # what was emptied stays as zeros
        for name in ARRAYS:
            assert np.array_equal(getattr(found, name), getattr(wanted, name)), name
    assert not expected


def check_flow(cells: dict[Key, tuple[int, int]]) -> None:
    """The acts are the events, and their changes add up to how the labels stand."""
    acts = sum((each.acts for each in MonthFlow.objects.all()), np.zeros((31, 10), np.int64))
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM labeling_labelevent")
        assert acts[:, :7].sum() == cursor.fetchone()[0]
    labeled = sum(count for key, (count, _) in cells.items() if key.label < 11)
    settled = sum(count for key, (count, _) in cells.items() if key.is_settled)
    wrong = sum(c for key, (c, _) in cells.items() if key.label < 10 and key.label != key.predicted)
    assert acts[:, 7:].sum(axis=0).tolist() == [labeled, settled, wrong]
