"""Recount everything from the two logs, and compare it with the stored counts.

It goes month by month, so that memory holds one month's cells. No other process counts during a
month; new rows are counted between two months.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import F, Max, Min

from dashboard.cube import counting, log, store
from dashboard.cube.counting import EVENTS_AT_ONCE, marks, renew, take_lease
from dashboard.cube.log import LogMarks
from dashboard.cube.tally import SUM_FIELDS, FlowKey, SumKey, Tally, sums_of
from dashboard.models import Cell, Check, Mark, MonthFlow, MonthSums
from labeling.models import LabelEvent
from predictions.database.clock import Moment
from predictions.database.slices import chunks
from predictions.errors import Declined
from predictions.models import Prediction
from predictions.months import after, month_of

logger = logging.getLogger(__name__)
Progress = Callable[[str], object]  # called with the part that was compared


class AlreadyCounting(Declined):
    """Another process is counting."""

    code = "busy"


class Moved(AlreadyCounting):
    """The lease expired and another process counted, so the comparison is no longer valid."""


@dataclass(slots=True)
class CountsCompared:
    """The number of months compared, and of stored rows that were wrong."""

    months: int = 0
    of_months: int = 0
    cells: int = 0
    sums: int = 0
    flows: int = 0

    def __len__(self) -> int:
        return self.cells + self.sums + self.flows


def rebuild_counts(
    *,
    mend: bool = True,
    seconds: float = float("inf"),
    progress: Progress = lambda name: None,
) -> CountsCompared:
    """Compare all stored counts with the logs, newest month first; repair them if `mend`."""
    deadline = time.monotonic() + seconds
    counting.catch_up()
    months = list(reversed(list(months_to_check())))
    found = CountsCompared(of_months=len(months))
    look_at_flow(found, mend=mend)
    progress("what labelers did")
    for month in months:
        if time.monotonic() >= deadline:
            break
        compare_month(month, found, mend=mend)
        found.months += 1
        progress(f"{month:%Y-%m}")
    if found:
        logger.warning("%s rows of the cube differed from the logs", len(found))
    return found


def check_counts(*, seconds: float = float("inf")) -> Check:
    """Compare without repairing, and store the result."""
    began = time.monotonic()
    found = rebuild_counts(mend=False, seconds=seconds)
    return Check.objects.create(
        months=found.months,
        of_months=found.of_months,
        differences=len(found),
        seconds=time.monotonic() - began,
    )


def months_to_check() -> Iterator[date]:
    ends = [
        table.objects.aggregate(first=Min("day"), last=Max("day")) for table in (Prediction, Cell)
    ]
    days = [day for each in ends for day in each.values() if day is not None]
    month = month_of(min(days)) if days else date.max
    while days and month <= max(days):
        yield month
        month = after(month)


def undisturbed(look: Callable[[LogMarks], None]) -> None:
    """Call `look` with the current marks while no other process counts."""
    Mark.objects.get_or_create(pk=1)
    if not take_lease():
        raise AlreadyCounting("The cube is being counted by another process; try again shortly.")
    try:
        at = marks()
        look(at)
    finally:
        Mark.objects.update(busy_until=None)


def still(at: LogMarks) -> None:
    if marks() != at or not renew():
        raise Moved("Another process counted meanwhile; try again.")


# -- cells and their sums ------------------------------------------------------------------------


def compare_month(month: date, found: CountsCompared, *, mend: bool) -> None:
    def look(at: LogMarks) -> None:
        due = recount_month(month, at)
        cells = due.changed
        sums = {key: dict(vars(each)) for key, each in sums_of(cells).items()}
        wrong_cells = count_differing(cells, store.cells_of(month, after(month)))
        stored = store.packed(MonthSums.objects.filter(month=month), SumKey, SUM_FIELDS)
        wrong_sums = count_differing(sums, stored)
        still(at)
        found.cells += wrong_cells
        found.sums += wrong_sums
        if mend and (wrong_cells or wrong_sums):
            replace_month(month, due, at)

    counting.catch_up()
    undisturbed(look)


def recount_month(month: date, at: LogMarks) -> Tally:
    """Count a month's cells from the logs, up to these marks."""
    of_month = {"day__gte": month, "day__lt": after(month)}
    tally = Tally()
    for key, count, confidence in log.unlabeled(**of_month, pk__lte=at.prediction):
        tally.add(key, count, confidence)
    labeled = (
        Prediction.objects.filter(**of_month, pk__lte=at.prediction, events__pk__lte=at.event)
        .order_by()
        .values_list("pk", flat=True)
        .distinct()
    )
    for keys in chunks(labeled.iterator(), EVENTS_AT_ONCE):
        counting.enter_labels(tally, log.drawn_rows(keys), log.event_rows(keys, until=at.event))
        renew()
    return tally


@transaction.atomic
def replace_month(month: date, due: Tally, at: LogMarks) -> None:
    if not counting.move_marks(at, at):
        raise Moved("Another process counted meanwhile; try again.")
    Cell.objects.filter(day__gte=month, day__lt=after(month)).delete()
    MonthSums.objects.filter(month=month).delete()
    store.add(due)


# -- what labelers did -----------------------------------------------------------------------------


def look_at_flow(found: CountsCompared, *, mend: bool) -> None:
    def look(at: LogMarks) -> None:
        due = recount_flow(at)
        flows = {key: {"acts": np.array(acts)} for key, acts in due.flows.items()}
        found.flows += count_differing(
            flows, store.packed(MonthFlow.objects.all(), FlowKey, ("acts",))
        )
        still(at)
        if mend and found.flows:
            replace_flow(due, at)

    undisturbed(look)


def count_from_nothing() -> None:
    """Drop all counts, so that the next step counts every row again."""
    for table in (Cell, MonthSums, MonthFlow):
        table._base_manager.all().delete()
    Mark.objects.update(prediction=0, event=0, changes=F("changes") + 1, moved_at=Moment())


def recount_flow(at: LogMarks) -> Tally:
    """Count what labelers did, from all events up to these marks."""
    due, here = Tally(), LogMarks()
    while here.event < at.event:
        to = LogMarks(0, log.helping(LabelEvent, here.event, at.event, EVENTS_AT_ONCE))
        some, _ = counting.of_events(here, to)
        for key, acts in some.flows.items():
            known = due.flows.get(key)
            due.flows[key] = (np.array(acts) + known).tolist() if known else acts
        here = to
        renew()
    return due


@transaction.atomic
def replace_flow(due: Tally, at: LogMarks) -> None:
    if not counting.move_marks(at, at):
        raise Moved("Another process counted meanwhile; try again.")
    MonthFlow.objects.all().delete()
    store.add(due)


# -- comparing -------------------------------------------------------------------------------------


def count_differing(due: dict[Any, Any], stored: dict[Any, Any]) -> int:
    """The number of missing, wrong and surplus rows; a row of zeros counts as no row."""
    return sum(not same(due.get(key), stored.get(key)) for key in set(chain(due, stored)))


def same(due: Any, stored: Any) -> bool:
    if not isinstance(due or stored, dict):
        return bool(due == stored)  # of cells: (count, confidence)
    if due and stored:
        return all(np.array_equal(due[name], stored[name]) for name in due)
    return not any(counts.any() for counts in (due or stored).values())
