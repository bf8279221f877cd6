"""What the made-up history looks like: its time, its people, how much happens when. Pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Dice = np.random.Generator

LEAST_DAYS = 75  # the history starts with the month that holds the day so long ago
AUDIT_RATE = 0.25  # higher than in earnest, so that a small history has cells with enough labels
# How strongly drawings are distorted on the first and on the last day. The shipped version reads
# what is distorted by 1.25 as well as it ever will; at 2 it has much to learn.
STRENGTHS = (1.65, 2.1)
UNREADABLE = 0.015  # share of drawings that are no digit
RUNS_AT = (0.36, 0.70)  # of the time, when the two fine-tunes take place
CLOSED = (0.52, 0.54)  # of the time, when nobody drew: a gap in the curves of days
QUIET = 0.6  # weekends, in parts of a working day
GROWTH = 1.6  # how many times as much is drawn at the end as at the beginning
DRAWINGS_A_VISITOR = 30


@dataclass(frozen=True, slots=True)
class Person:
    """An account of the history, and how it reads."""

    name: str
    role: str
    mistakes: float = 0.0  # share of readable drawings misread
    seconds: float = 1.8  # median from shown to decided
    share: float = 0.0  # of the labeling


PEOPLE = (
    Person("demo-ada", "labeler", 0.006, 1.5, 0.34),
    Person("demo-finn", "labeler", 0.012, 1.2, 0.26),
    Person("demo-grace", "labeler", 0.004, 2.4, 0.22),
    Person("demo-hugo", "labeler", 0.02, 1.9, 0.18),
    Person("demo-rosa", "reviewer", 0.002, 4.0),
    Person("demo-tom", "trainer"),
    Person("demo-ines", "admin"),
)
LABELERS = tuple(person for person in PEOPLE if person.share)
# Two weeks in which one labeler took ones for sevens, until somebody noticed.
MUDDLER, MUDDLED, MUDDLE = "demo-hugo", (0.38, 0.56), 0.8


@dataclass(frozen=True, slots=True)
class Period:
    """From the first moment of a month to the moment the history is told."""

    first: datetime
    until: datetime

    def at(self, share: float) -> datetime:
        """The moment when this share of the time is over."""
        return self.first + (self.until - self.first) * share

    def share(self, at: datetime) -> float:
        return (at - self.first) / (self.until - self.first)

    def strength(self, at: datetime) -> float:
        """How strongly what is drawn then is distorted."""
        low, high = STRENGTHS
        return low + (high - low) * min(max(self.share(at), 0.0), 1.0)


def period_until(day: date, zone: ZoneInfo) -> Period:
    """Whole months before this day begins, about three of them."""
    until = datetime.combine(day, time(), zone)
    first = (day - timedelta(days=LEAST_DAYS)).replace(day=1)
    return Period(datetime.combine(first, time(), zone), until)


def drawn_at(count: int, period: Period, zone: ZoneInfo, dice: Dice) -> list[datetime]:
    """So many moments, more by day than by night, more at the end than at the beginning."""
    days = (period.until.date() - period.first.date()).days
    places = np.arange(days) / days
    weights = GROWTH**places
    weekdays = np.array([(period.first.date() + timedelta(int(n))).weekday() for n in range(days)])
    weights[weekdays >= 5] *= QUIET
    weights[(places >= CLOSED[0]) & (places < CLOSED[1])] = 0
    on = dice.choice(days, size=count, p=weights / weights.sum())
    return sorted(
        moment_on(period.first.date() + timedelta(int(day)), hour, zone)
        for day, hour in zip(on, hours(count, dice), strict=True)
    )


def hours(count: int, dice: Dice) -> NDArray[np.float64]:
    """Hours of the day at which people are awake, as fractions."""
    return 7.0 + 16.9 * dice.beta(2.2, 2.0, count)


def moment_on(day: date, hour: float, zone: ZoneInfo) -> datetime:
    """This hour by the clocks of the zone; its days need not have 24 of them."""
    whole = timedelta(hours=float(hour))
    return datetime.combine(day, (datetime.min + whole).time(), zone)  # noqa: DTZ901  (a clock)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody without an account who draws."""

    id: uuid.UUID
    since: datetime
    weight: float
    is_prankster: bool = False


def visitors(count: int, period: Period, dice: Dice) -> list[Visitor]:
    """Some draw often, most seldom; one of them says wrong things for fun."""
    shares = np.concatenate([np.zeros(count // 3), dice.beta(0.8, 1.6, count - count // 3)])
    weights = dice.lognormal(0, 0.8, count)
    return [
        Visitor(id_from(dice), period.at(float(share)), float(weight), is_prankster=number == 1)
        for number, (share, weight) in enumerate(zip(shares, weights, strict=True))
    ]


def id_from(dice: Dice) -> uuid.UUID:
    return uuid.UUID(bytes=dice.bytes(16), version=4)
