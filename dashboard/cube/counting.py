"""Counting the two logs, each row exactly once.

The counts follow from two marks alone: they speak of all predictions up to one, with their labels
as the events up to the other make them. Both logs are only added to, so what lies below the marks
never changes, and a step from one pair of marks to the next can be worked out beforehand, by
anybody, twice. It is written in one transaction that moves the marks, if they are where the step
began; a step that comes second, or is killed, has done nothing.
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
from dashboard.cube.log import History, Marks, local_day
from dashboard.cube.tally import Drawn, Tally
from dashboard.flow import stands_after
from dashboard.models import Mark
from labeling.models import LabelEvent
from predictions.database.clock import Moment
from predictions.models import Prediction

logger = logging.getLogger(__name__)
PREDICTIONS_AT_ONCE = 50_000
EVENTS_AT_ONCE = 5_000
LEASE = timedelta(seconds=30)  # that others leave the work to whoever counts; renewed by each step
EVERY = 2.0  # seconds between two looks of one process
A_MOMENT = 0.1  # seconds a request may spend on counting; a step begun is ended, so
A_LITTLE = 0.1  # of a helping is its step

Progress = Callable[[int, int], object]  # predictions and events counted by a step


def marks() -> Marks:
    row = Mark.objects.values_list("prediction", "event").first()
    return Marks(*row) if row else Marks()


def catch_up(
    *,
    seconds: float = float("inf"),
    patience: float = log.PATIENCE,
    helping: float = 1.0,
    progress: Progress = lambda predictions, events: None,
) -> Marks:
    """Count what is new, as far as the time allows; how far the counts have come."""
    Mark.objects.get_or_create(pk=1)
    deadline = time.monotonic() + seconds
    at = marks()
    until = log.bounds(at, patience=patience)
    if at.covers(until) or not claim():
        return at
    try:
        while not at.covers(until):
            at = step(at, until, helping, progress)
            if time.monotonic() >= deadline or not renew():
                break
    finally:
        Mark.objects.update(busy_until=None)
    return at


def claim() -> bool:
    """Spares others the same work; that nothing is counted twice rests on the marks alone."""
    free = Q(busy_until=None) | Q(busy_until__lt=Now())
    return bool(Mark.objects.filter(free, pk=1).update(busy_until=Now() + LEASE))


def renew() -> bool:
    return bool(Mark.objects.filter(pk=1).update(busy_until=Now() + LEASE))


def step(at: Marks, until: Marks, helping: float, progress: Progress) -> Marks:
    """One helping: events first, so that new predictions enter with the label they have."""
    if at.event < until.event:
        most = max(1, int(EVENTS_AT_ONCE * helping))
        to = Marks(at.prediction, log.helping(LabelEvent, at.event, until.event, most))
        tally, count = of_events(at, to)
        counted = (0, count)
    else:
        most = max(1, int(PREDICTIONS_AT_ONCE * helping))
        last = log.helping(Prediction, at.prediction, until.prediction, most)
        to = Marks(last, at.event)
        tally, count = of_predictions(at, to)
        counted = (count, 0)
    if not write(tally, at, to):
        return marks()  # somebody else was faster
    progress(*counted)
    return to


def of_events(at: Marks, to: Marks) -> tuple[Tally, int]:
    """What the events between two marks change, and how many they are."""
    keys = log.items_of(at.event, to.event)
    items, history = log.drawn(keys), log.told(keys, until=to.event)
    tally, count, zone = Tally(), 0, timezone.get_current_timezone()
    for key, events in history.items():
        before = [event for event in events if event.pk <= at.event]
        was = stands = stands_after(before)
        for event in events[len(before) :]:
            day = local_day(event.created_at, zone)
            stands = tally.note_flow(items[key], day, event, before, stands)
            before.append(event)
            count += 1
        if key <= at.prediction:  # others enter later, with the label they have by then
            tally.move(items[key], was, stands, events)
    return tally, count


def of_predictions(at: Marks, to: Marks) -> tuple[Tally, int]:
    """What the predictions between two marks add, and how many they are."""
    tally = Tally()
    for key, count, confidence in log.unlabeled(pk__gt=at.prediction, pk__lte=to.prediction):
        tally.add(key, count, confidence)
    count = sum(count for count, _ in tally.cells.values())
    history = log.told_between(at.prediction, to.prediction, until=to.event)
    enter_labels(tally, log.drawn(history), history)
    return tally, count


def enter_labels(tally: Tally, items: dict[int, Drawn], history: History) -> None:
    """Move those with a label away from those without."""
    for key, events in history.items():
        tally.move(items[key], None, stands_after(events), events)


@transaction.atomic
def write(tally: Tally, at: Marks, to: Marks) -> bool:
    """The marks and the counts, or neither."""
    moved = move(at, to)
    if moved:
        store.add(tally)
        logger.debug("counted up to prediction %s and event %s", to.prediction, to.event)
    return moved


def move(at: Marks, to: Marks) -> bool:
    """If they are where the caller began, the marks move; they are locked until its end."""
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


class Watch:
    """So that whoever works alone sees fresh figures: a little is counted when a page is asked."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.looked_at = float("-inf")

    def count_if_due(self) -> None:
        """At most once in a while a process, and for a moment only."""
        now = time.monotonic()
        if now - self.looked_at < EVERY:
            return
        self.looked_at = now
        catch_up(seconds=A_MOMENT, patience=A_MOMENT, helping=A_LITTLE)


watch = Watch()
