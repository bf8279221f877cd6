"""Counts in memory: changes of cells, and the sums that follow from them. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

import numpy as np

from dashboard.axes import (
    BINS,
    DAYS,
    DIGITS,
    LABELS,
    NO_STREAM,
    UNLABELED,
    UNREADABLE,
    bin_of,
    millionths,
)
from dashboard.flow import ACTS, CountedEvent, act_of, changes, stands_after
from labeling.standing import Standing
from predictions.months import month_of

AUDIT = "audit"
AT_ACT = {act: at for at, act in enumerate(ACTS)}
FIRST_CHANGE = AT_ACT["labeled"]


class Key(NamedTuple):
    """A cell's primary key, in the order of its columns."""

    day: date
    version_id: int
    predicted: int
    label: int
    bin: int
    stream: str
    source: str
    is_settled: bool
    chance: int  # of being audited, in millionths


class SumKey(NamedTuple):
    month: date
    version_id: int
    source: str
    stream: str
    chance: int


class FlowKey(NamedTuple):
    month: date
    version_id: int
    source: str
    stream: str


class Drawn(NamedTuple):
    """The columns of a prediction that counting needs."""

    pk: int
    day: date
    version_id: int
    predicted: int
    confidence: float
    source: str
    is_audit: bool
    audit_probability: float

    def under(self, stands: Standing | None, events: Iterable[CountedEvent]) -> Key:
        """The cell it belongs to with this label."""
        label, stream, is_settled = UNLABELED, NO_STREAM, False
        if stands is not None:
            label = UNREADABLE if stands.digit is None else stands.digit
            stream = next(event.stream for event in events if event.pk == stands.event_id)
            is_settled = stands.state == "settled"
        return Key(
            self.day, self.version_id, self.predicted, label, bin_of(self.confidence),
            AUDIT if self.is_audit else stream, self.source, is_settled,
            millionths(self.audit_probability),
        )  # fmt: skip


class Tally:
    """Changes of cells and of months' flows."""

    def __init__(self) -> None:
        self.cells: defaultdict[Key, list[int]] = defaultdict(lambda: [0, 0])
        self.flows: dict[FlowKey, list[list[int]]] = {}  # by day and act

    def add(self, key: Key, count: int, confidence: int) -> None:
        cell = self.cells[key]
        cell[0] += count
        cell[1] += confidence

    def move(
        self,
        drawn: Drawn,
        was: Standing | None,
        now: Standing | None,
        events: Sequence[CountedEvent],
    ) -> None:
        """Move a drawing from the cell of its old label to the cell of its new one."""
        old, new = drawn.under(was, events), drawn.under(now, events)
        if old != new:
            confidence = millionths(drawn.confidence)
            self.add(old, -1, -confidence)
            self.add(new, 1, confidence)

    def note_flow(
        self,
        drawn: Drawn,
        day: date,
        event: CountedEvent,
        before: Sequence[CountedEvent],
        was: Standing | None,
    ) -> Standing | None:
        """Count what one event did; return the label after it."""
        stands = stands_after([*before, event])
        key = FlowKey(month_of(day), drawn.version_id, drawn.source, event.stream)
        if key not in self.flows:
            self.flows[key] = [[0] * len(ACTS) for _ in range(DAYS)]
        row = self.flows[key][day.day - 1]
        row[AT_ACT[act_of(event, before)]] += 1
        for at, change in enumerate(changes(was, stands, drawn.predicted), FIRST_CHANGE):
            row[at] += change
        return stands

    @property
    def changed(self) -> dict[Key, tuple[int, int]]:
        """The cells whose counts change."""
        return {key: (count, total) for key, (count, total) in self.cells.items() if count or total}


class Sums:
    """The arrays of one `MonthSums` row."""

    def __init__(self) -> None:
        self.readings = np.zeros((DIGITS, LABELS, 2), np.int64)
        self.days = np.zeros((DAYS, LABELS, 3), np.int64)
        self.confidences = np.zeros((DIGITS, BINS), np.int64)
        self.confidence = np.zeros((DIGITS,), np.int64)
        self.judged = np.zeros((DIGITS, BINS, 2), np.int64)
        self.judged_confidence = np.zeros((DIGITS, BINS), np.int64)

    def add(self, key: Key, count: int, confidence: int) -> None:
        predicted, label = key.predicted, key.label
        is_right = predicted == label
        self.readings[predicted, label, int(key.is_settled)] += count
        day = self.days[key.day.day - 1, label]
        day += (count, count * is_right, count * key.is_settled)
        self.confidences[predicted, key.bin] += count
        self.confidence[predicted] += confidence
        if label < UNREADABLE:
            self.judged[predicted, key.bin] += (count, count * is_right)
            self.judged_confidence[predicted, key.bin] += confidence


SUM_FIELDS = tuple(vars(Sums()))


def sums_of(cells: Mapping[Key, tuple[int, int]]) -> dict[SumKey, Sums]:
    """The sums of these cells; changes of cells give changes of sums."""
    found: defaultdict[SumKey, Sums] = defaultdict(Sums)
    for key, (count, confidence) in cells.items():
        place = SumKey(month_of(key.day), key.version_id, key.source, key.stream, key.chance)
        found[place].add(key, count, confidence)
    return dict(found)
