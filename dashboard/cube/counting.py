"""Counting the two logs, each row exactly once.

Two marks define the counts: they cover all predictions up to one mark, with the labels that follow
from the events up to the other. Both logs are append-only, so rows below the marks do not change.
A step computes its changes before it writes; several processes may compute the same step. One
transaction writes the changes and moves the marks, if the marks are still where the step began.
So a step that is killed, or that comes second, changes nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from dashboard.cube import log, store
from dashboard.cube.log import History, LogMarks, local_day
from dashboard.cube.tally import Drawn, Tally
from dashboard.flow import stands_after
from dashboard.models import Mark
from labeling.models import LabelEvent
from predictions.database.append_only import PATIENCE
from predictions.database.clock import Moment
from predictions.models import Prediction

logger = logging.getLogger(__name__)
PREDICTIONS_AT_ONCE = 50_000
EVENTS_AT_ONCE = 5_000
LEASE = timedelta(seconds=30)  # others do not count meanwhile; each step renews it
EVERY = 2.0  # seconds between two checks by one process
A_MOMENT = 0.1  # seconds a request may count; a step is always finished, so a request's
A_LITTLE = 0.1  # steps have this fraction of the usual number of rows

Progress = Callable[[int, int], object]  # predictions and events counted by a step


def marks() -> LogMarks:
    row = Mark.objects.values_list("prediction", "event").first()
    return LogMarks(*row) if row else LogMarks()


def catch_up(
    *,
    seconds: float = float("inf"),
    patience: float = PATIENCE,
    helping: float = 1.0,
    progress: Progress = lambda predictions, events: None,
) -> LogMarks:
    """Count new rows until done or out of time; return the new marks."""
    Mark.objects.get_or_create(pk=1)
    deadline = time.monotonic() + seconds
    at = marks()
    until = log.bounds(at, patience=patience)
    if at.covers(until) or not take_lease():
        return at
    try:
        while not at.covers(until):
            at = step(at, until, helping, progress)
            if time.monotonic() >= deadline or not renew():
                break
    finally:
        Mark.objects.update(busy_until=None)
    return at


def take_lease() -> bool:
    """Take the lease. It only avoids duplicate work: the marks make each row count once."""
    free = Q(busy_until=None) | Q(busy_until__lt=Now())
    return bool(Mark.objects.filter(free, pk=1).update(busy_until=Now() + LEASE))


def renew() -> bool:
    return bool(Mark.objects.filter(pk=1).update(busy_until=Now() + LEASE))


def step(at: LogMarks, until: LogMarks, helping: float, progress: Progress) -> LogMarks:
    """Count one batch: events first, so that new predictions are added with their labels."""
    if at.event < until.event:
        most = max(1, int(EVENTS_AT_ONCE * helping))
        to = LogMarks(at.prediction, log.helping(LabelEvent, at.event, until.event, most))
        tally, count = of_events(at, to)
        counted = (0, count)
    else:
        most = max(1, int(PREDICTIONS_AT_ONCE * helping))
        last = log.helping(Prediction, at.prediction, until.prediction, most)
        to = LogMarks(last, at.event)
        tally, count = of_predictions(at, to)
        counted = (count, 0)
    if not write_counts(tally, at, to):
        return marks()  # another process was faster
    progress(*counted)
    return to


def of_events(at: LogMarks, to: LogMarks) -> tuple[Tally, int]:
    """The changes by the events between two marks, and the number of events."""
    keys = log.predictions_with_events(at.event, to.event)
    items, history = log.drawn_rows(keys), log.event_rows(keys, until=to.event)
    tally, count, zone = Tally(), 0, timezone.get_current_timezone()
    for key, events in history.items():
        before = [event for event in events if event.pk <= at.event]
        was = stands = stands_after(before)
        for event in events[len(before) :]:
            day = local_day(event.created_at, zone)
            stands = tally.note_flow(items[key], day, event, before, stands)
            before.append(event)
            count += 1
        if key <= at.prediction:  # later ones are added by of_predictions, with their labels
            tally.move(items[key], was, stands, events)
    return tally, count


def of_predictions(at: LogMarks, to: LogMarks) -> tuple[Tally, int]:
    """The changes by the predictions between two marks, and their number."""
    tally = Tally()
    for key, count, confidence in log.unlabeled(pk__gt=at.prediction, pk__lte=to.prediction):
        tally.add(key, count, confidence)
    count = sum(count for count, _ in tally.cells.values())
    history = log.told_between(at.prediction, to.prediction, until=to.event)
    enter_labels(tally, log.drawn_rows(history), history)
    return tally, count


def enter_labels(tally: Tally, items: dict[int, Drawn], history: History) -> None:
    """Move labeled items from the unlabeled cells to the cells of their labels."""
    for key, events in history.items():
        tally.move(items[key], None, stands_after(events), events)


@transaction.atomic
def write_counts(tally: Tally, at: LogMarks, to: LogMarks) -> bool:
    """Write marks and counts in one transaction; False if the marks have moved meanwhile."""
    moved = move_marks(at, to)
    if moved:
        store.add(tally)
        logger.debug("counted up to prediction %s and event %s", to.prediction, to.event)
    return moved


def move_marks(at: LogMarks, to: LogMarks) -> bool:
    """Move the marks if they are still at `at`; the row is locked until the transaction ends."""
    assert to.covers(at), f"marks never go back, from {at} to {to}"
    here = Mark.objects.filter(pk=1, prediction=at.prediction, event=at.event)
    return bool(
        here.update(
            prediction=to.prediction,
            event=to.event,
            changes=F("changes") + 1,
            moved_at=Moment(),
        )
    )


class CountingTimer:
    """Counts a little before a page is served, so that figures are fresh between two tasks."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.looked_at = float("-inf")

    def count_if_due(self) -> None:
        """Count for about A_MOMENT, at most once in EVERY seconds for each process."""
        now = time.monotonic()
        if now - self.looked_at < EVERY:
            return
        self.looked_at = now
        catch_up(seconds=A_MOMENT, patience=A_MOMENT, helping=A_LITTLE)


watch = CountingTimer()
