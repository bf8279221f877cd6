"""The frame of the made-up history: its time, its people, how much is drawn when, who says what."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from django.conf import settings
from django.contrib.auth.models import User

from dashboard.models import Demo
from labeling.models import LabelEvent
from labeling.queue.intake import margin_of
from predictions.errors import Declined
from predictions.models import Feedback, Prediction
from predictions.months import month_of

Random = np.random.Generator
People = dict[str, User]

# What is done in this order. Others see nothing of the third before it is whole.
TEACHING, DRAWING = "Teaching the first version", "Drawing"
LIVING, COUNTING = "Making up six months of labels and fine-tunes", "Counting and replaying"
FEWEST, DRAWINGS = 300, 6_000  # fewer teach too little; unless told
PREFIX = "demo-"  # of the names of the demo's versions and accounts
# Labelers, with the share of drawings that they misread; and all accounts with their roles.
MISTAKES = {"demo-ada": 0.006, "demo-finn": 0.012, "demo-grace": 0.004, "demo-hugo": 0.02}
OTHERS = {"demo-rosa": "reviewer", "demo-tom": "trainer", "demo-ines": "admin"}
ROLES = dict.fromkeys(MISTAKES, "labeler") | OTHERS
LEAST_DAYS = 165  # the history starts with the month that holds the day so long ago
QUIET, GROWTH = 0.6, 1.6  # drawings on a weekend's day and on the last day, in parts of another's
AMBIGUOUS, RULED = 0.03, 0.3  # shares: of drawings that people read differently; of disputes


class DemoDeclined(Declined):
    """The demo is not made or removed here, or not now."""

    code = "demo_declined"


def check_allowed(drawings: int, *, force: bool) -> None:
    if drawings < FEWEST:
        raise DemoDeclined(f"{drawings} drawings are too few to learn from; {FEWEST} are needed.")
    if demo := Demo.objects.first():
        raise DemoDeclined(f"A demo is here already ({demo}): seed_demo --remove removes it.")
    if (real := Prediction.objects.count()) and not force:
        raise DemoDeclined(
            f"{real:,} drawings of people are here. A made-up history would mix with theirs on"
            " every page; --force does it all the same, and --remove takes it out again."
        )


def period_until(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """About six months, the first one whole, that end before this day."""
    first = month_of(day - timedelta(days=LEAST_DAYS))
    return datetime.combine(first, time(), zone), datetime.combine(day, time(), zone)


def drawn_at(count: int, first: datetime, until: datetime, random: Random) -> list[datetime]:
    """So many moments by day, more on working days, more at the end than at the beginning."""
    days = (until.date() - first.date()).days
    weights = GROWTH ** (np.arange(days) / days)
    weights[[(first + timedelta(day)).weekday() > 4 for day in range(days)]] *= QUIET
    on = random.choice(days, size=count, p=weights / weights.sum()).tolist()
    hours = (7 + 16.9 * random.beta(2.2, 2.0, count)).tolist()
    return sorted(first + timedelta(day, hours=hour) for day, hour in zip(on, hours, strict=True))


def events_on(
    row: Prediction, truth: int | None, feedback: Feedback | None, people: People, random: Random
) -> list[LabelEvent]:
    """All that is said about a drawing, in the order of time; perhaps nothing.

    A second opinion where it is called for; where they differ, a third, and perhaps a ruling.
    """
    opinions = Opinions(row, truth, people, random)
    said, (first, second, third, _) = opinions.said, opinions.order
    stream, chance = stream_and_chance(row, feedback)
    if random.random() > chance:
        return said
    opinions.add(first, stream, feedback.changed_at if feedback else row.created_at)
    contradicts = said[0].digit != row.digit and row.confidence >= settings.CONFIDENT
    said[0].wants_second = contradicts or bool(random.random() < settings.SECOND_OPINION_RATE)
    if said[0].wants_second:
        opinions.add(second, "second", said[0].created_at)
    if said[-1].digit != said[0].digit:
        opinions.add(third, "second", said[1].created_at)
        if len({each.digit for each in said}) == 3 and random.random() < RULED:
            opinions.add("demo-rosa", "review", said[2].created_at, kind="settle")
    return said


def stream_and_chance(row: Prediction, feedback: Feedback | None) -> tuple[str, float]:
    """The stream that shows a drawing, and the chance that it is shown at all."""
    if row.is_audit:
        return "audit", 0.97
    if feedback:
        return "feedback", 0.7
    return "unsure", 0.7 if row.confidence < 0.8 else 0.4


class Opinions:
    """What labelers say about one drawing; some drawings can be read in three ways."""

    def __init__(self, row: Prediction, truth: int | None, people: People, random: Random) -> None:
        self.row, self.truth, self.people, self.random = row, truth, people, random
        is_ambiguous = random.random() < AMBIGUOUS
        self.readings = [truth, int(random.integers(10)), None] if is_ambiguous else [truth]
        self.order = random.permutation(list(MISTAKES)).tolist()
        self.said: list[LabelEvent] = []

    def add(self, who: str, stream: str, after: datetime, *, kind: str = "label") -> None:
        row, random = self.row, self.random
        digit = self.truth
        if kind == "label":
            digit = self.readings[int(random.integers(len(self.readings)))]
        if random.random() < MISTAKES.get(who, 0.0):
            digit = int(random.integers(10))
        self.said.append(
            LabelEvent(
                prediction=row, labeler=self.people[who], kind=kind, stream=stream,
                version=row.version, digit=digit, is_unreadable=digit is None,
                score=margin_of(row.probabilities),
                created_at=after + timedelta(seconds=20, days=float(random.exponential(1.0))),
                selection_probability=row.audit_probability if row.is_audit else None,
                seconds=1.8 * float(random.lognormal(0, 0.45)),
            )
        )  # fmt: skip
