"""The made-up history as rows: what is drawn, said and decided up to a moment, in bulk."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
from django.contrib.auth.models import User

from dashboard.demo.opinions import Crowd, Item, Opinion
from dashboard.demo.opinions import Feedback as Said
from dashboard.demo.plan import (
    AUDIT_RATE,
    DRAWINGS_A_VISITOR,
    UNREADABLE,
    Dice,
    Period,
    Visitor,
    drawn_at,
    id_from,
    visitors,
)
from labeling.batches.batches import chunks, restate_many
from labeling.models import LabelEvent
from labeling.queue.intake import margin_of, take_in
from predictions.capture.capture import Sketch, prediction_of, sketch_or_refusal, store
from predictions.models import Feedback, Owner, Prediction
from predictions.serving.recognizer import Serving, load_version
from training.versions.promotion import live_version

if TYPE_CHECKING:
    from training.engine.standins import StandIns

AT_ONCE = 250  # drawings read and stored together
FEWEST_VISITORS = 12
AMBIGUOUS = 0.5  # share of drawings that people read differently, if the network errs too
SPEAKS = 0.3  # share of drawings whose visitor says whether the guess is right


@dataclass(frozen=True, slots=True)
class Hands:
    """Where drawings come from."""

    digits: StandIns
    no_digits: StandIns


class History:
    """Goes forward in time and writes down what happened."""

    def __init__(
        self,
        drawings: int,
        period: Period,
        zone: ZoneInfo,
        *,
        hands: Hands,
        crowd: Crowd,
        people: dict[str, User],
        dice: Dice,
        tell: Callable[[int], object],
    ) -> None:
        self.period, self.hands, self.crowd, self.people = period, hands, crowd, people
        self.dice, self.tell = dice, tell
        self.visitors = visitors(max(FEWEST_VISITORS, drawings // DRAWINGS_A_VISITOR), period, dice)
        self.total = drawings
        self.moments = drawn_at(drawings, period, zone, dice)
        self.truths: dict[int, int | None] = {}
        self.coming: list[tuple[datetime, int, Opinion]] = []  # a heap
        self.number = count()
        self.closed: set[int] = set()  # nobody is asked about these any more

    def go_on_until(self, at: datetime) -> None:
        """Everything that happens before this moment."""
        moments = [moment for moment in self.moments if moment < at]
        self.moments = self.moments[len(moments) :]
        serving = reading_version()
        for start in range(0, len(moments), AT_ONCE):
            some = moments[start : start + AT_ONCE]
            for item in self.draw(some, serving):
                self.expect(self.crowd.opinions_on(item))
            self.tell(len(some))
        take_in()
        self.decide_until(at)

    def expect(self, opinions: Iterator[Opinion]) -> None:
        """These will be given when their time has come."""
        for opinion in opinions:
            heapq.heappush(self.coming, (opinion.at, next(self.number), opinion))

    # -- drawings ------------------------------------------------------------------------------

    def draw(self, moments: list[datetime], serving: Serving) -> list[Item]:
        """Store what is drawn at these moments with what the version says of it."""
        strength = self.period.strength(moments[len(moments) // 2])
        sketches, truths = self.sketches(len(moments), strength)
        readings = serving.network.read(np.stack([made.glyph for made in sketches]))
        rows = []
        for made, reading, at in zip(sketches, readings, moments, strict=True):
            row = prediction_of(
                made,
                reading,
                serving.version,
                owner=Owner(visitor=self.somebody(at).id),
                source=Prediction.Source.DEMO,
                at=at,
            )
            # The same seed makes the same history wherever it is made, audits included.
            row.public_id = id_from(self.dice)
            row.audit_probability = AUDIT_RATE
            row.is_audit = bool(self.dice.random() < AUDIT_RATE)
            rows.append(row)
        store(rows, sketches)
        self.truths.update((row.pk, truth) for row, truth in zip(rows, truths, strict=True))
        said = self.say(rows)
        return [self.item(row, said.get(row.pk)) for row in rows]

    def sketches(self, number: int, strength: float) -> tuple[list[Sketch], list[int | None]]:
        made: list[Sketch] = []
        truths: list[int | None] = []
        while len(made) < number:
            missing = number - len(made)
            odd = int(self.dice.binomial(missing, UNREADABLE))
            drawn = list(self.hands.digits.drawings(missing - odd, strength))
            drawn += self.hands.no_digits.drawings(odd, strength)
            for place in self.dice.permutation(len(drawn)):
                png, label = drawn[int(place)]
                sketch = sketch_or_refusal(png)  # some are bent beyond ink; others take their place
                if isinstance(sketch, Sketch):
                    made.append(sketch)
                    truths.append(label if label >= 0 else None)
        return made, truths

    def somebody(self, at: datetime) -> Visitor:
        here = [visitor for visitor in self.visitors if visitor.since <= at]
        weights = np.array([visitor.weight for visitor in here])
        return here[int(self.dice.choice(len(here), p=weights / weights.sum()))]

    def item(self, row: Prediction, said: Said | None) -> Item:
        return Item(
            key=row.pk,
            drawn_at=row.created_at,
            truth=self.truths[row.pk],
            guess=row.digit,
            margin=margin_of(row.probabilities),
            confidence=row.confidence,
            is_audit=row.is_audit,
            feedback=said,
            is_ambiguous=bool(self.dice.random() < AMBIGUOUS),
        )

    # -- feedback ------------------------------------------------------------------------------

    def say(self, rows: list[Prediction]) -> dict[int, Said]:
        """Some visitors say what they drew, a moment after they saw the guess."""
        pranksters = {visitor.id for visitor in self.visitors if visitor.is_prankster}
        said = {}
        for row in rows:
            if self.dice.random() < SPEAKS:
                at = row.created_at + timedelta(seconds=2 + float(self.dice.lognormal(1.2, 0.6)))
                said[row.pk] = Said(at, self.claim(row, lies=row.visitor in pranksters))
        Feedback.objects.bulk_create(
            Feedback(
                prediction=row,
                digit=said[row.pk].says,
                visitor=row.visitor,
                created_at=said[row.pk].at,
                changed_at=said[row.pk].at,
            )
            for row in rows
            if row.pk in said
        )
        return said

    def claim(self, row: Prediction, *, lies: bool) -> int | None:
        if lies:
            return (row.digit + 1 + int(self.dice.integers(8))) % 10
        if self.dice.random() < 0.03:  # the neighboring button
            return int(self.dice.integers(10))
        return self.truths[row.pk]

    # -- labels --------------------------------------------------------------------------------

    def decide_until(self, at: datetime) -> None:
        """Append what was said before this moment, in the order of time, and restate the labels."""
        touched: set[int] = set()
        waiting: list[LabelEvent] = []
        last: dict[tuple[int, str], LabelEvent] = {}
        facts = self.facts_of_coming(at)
        while self.coming and self.coming[0][0] < at:
            *_, opinion = heapq.heappop(self.coming)
            if opinion.key in self.closed and not opinion.is_gold:
                continue
            who = opinion.key, opinion.name
            if opinion.kind == "undo":  # what it reverses must have its key
                flush(waiting)
                event = LabelEvent(kind="undo", reverses=last[who])
            else:
                event = last[who] = event_of(opinion, facts[opinion.key])
            event.prediction_id = opinion.key
            event.labeler = self.people[opinion.name]
            event.created_at = opinion.at
            waiting.append(event)
            touched.add(opinion.key)
        flush(waiting)
        for some in chunks(sorted(touched), AT_ONCE * 4):
            restate_many(some)

    def facts_of_coming(self, at: datetime) -> dict[int, Fact]:
        keys = sorted({opinion.key for when, _, opinion in self.coming if when < at})
        found = {}
        for some in chunks(keys, AT_ONCE * 4):
            rows = Prediction.objects.filter(pk__in=some).values_list(
                "pk", "version_id", "queue_item__score", "queue_item__selection_probability"
            )
            for key, version_id, score, chance in rows:
                found[key] = Fact(version_id, score, chance)
        return found


@dataclass(frozen=True, slots=True)
class Fact:
    """What an event notes about its item."""

    version_id: int
    score: float
    selection_probability: float | None


def event_of(opinion: Opinion, fact: Fact) -> LabelEvent:
    is_ruling = opinion.kind == "settle"
    return LabelEvent(
        kind=opinion.kind,
        digit=opinion.says,
        is_unreadable=opinion.says is None,
        stream=opinion.stream,
        score=None if is_ruling else fact.score,
        selection_probability=None if is_ruling else fact.selection_probability,
        version_id=fact.version_id,
        guess_shown=is_ruling,
        seconds=None if is_ruling else opinion.seconds,
        wants_second=opinion.wants_second,
        is_gold=opinion.is_gold,
    )


def flush(waiting: list[LabelEvent]) -> None:
    """Store events; afterwards they have their keys."""
    LabelEvent.objects.bulk_create(waiting, batch_size=1_000)
    waiting.clear()


def reading_version() -> Serving:
    """The live version, whatever this process remembers."""
    live = live_version()
    assert live is not None  # the demo's own base went live first
    return load_version(live.pk)
