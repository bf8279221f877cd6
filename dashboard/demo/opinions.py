"""Who says what about a made-up drawing, and when: from the drawing to its last opinion. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dashboard.demo.plan import (
    LABELERS,
    MUDDLE,
    MUDDLED,
    MUDDLER,
    PEOPLE,
    Dice,
    Period,
    Person,
    hours,
    moment_on,
)

REVIEWER = next(person for person in PEOPLE if person.role == "reviewer")

Vote = int | None  # a digit, or None: unreadable

SLIP = 0.008  # share of answers with a wrong key pressed, taken back at once
LATE = 0.9  # share of second opinions that anybody gets round to
RULED = 0.6  # share of disputes a reviewer has got round to


@dataclass(frozen=True, slots=True)
class Item:
    """The part of a drawing that decides what is said about it."""

    key: int  # of the prediction
    drawn_at: datetime
    truth: Vote
    guess: int
    margin: float
    confidence: float
    is_audit: bool
    feedback: Feedback | None
    is_ambiguous: bool = False  # people read it differently


@dataclass(frozen=True, slots=True)
class Feedback:
    """What its visitor said about the guess."""

    at: datetime
    says: Vote


@dataclass(frozen=True, slots=True)
class Opinion:
    """An event to be: who said what, when, and why they were asked."""

    at: datetime
    key: int
    name: str
    kind: str  # of the event; an undo takes back the same person's last on the item
    says: Vote
    stream: str
    seconds: float
    wants_second: bool = False
    is_gold: bool = False


@dataclass(frozen=True, slots=True)
class Rates:
    """The installation's own settings for second opinions."""

    confident: float
    by_lot: float


class Crowd:
    """The labelers of the history, with dice of their own."""

    def __init__(self, period: Period, zone: ZoneInfo, rates: Rates, dice: Dice) -> None:
        self.period, self.zone, self.rates, self.dice = period, zone, rates, dice

    def opinions_on(self, item: Item) -> Iterator[Opinion]:
        """Everything that is said about it, in the order of time; perhaps nothing."""
        if self.dice.random() >= chance_of_a_label(item):
            return
        order = self.in_some_order()
        stream = "audit" if item.is_audit else "feedback" if item.feedback else "unsure"
        earliest = item.feedback.at if item.feedback else item.drawn_at
        first = self.opinion(item, order[0], self.later(earliest, days=1.1), stream)
        contradicts = first.says != item.guess and item.confidence >= self.rates.confident
        wants_second = contradicts or self.dice.random() < self.rates.by_lot
        yield from self.with_slips(replace(first, wants_second=wants_second))
        if not wants_second or self.dice.random() > LATE:
            return
        second = self.opinion(item, order[1], self.later(first.at, days=0.8), "second")
        yield second
        if second.says == first.says:
            return
        third = self.opinion(item, order[2], self.later(second.at, days=0.8), "second")
        yield third
        if len({first.says, second.says, third.says}) == 3 and self.dice.random() < RULED:
            yield self.ruling(item, self.later(third.at, days=1.5))

    def opinion(self, item: Item, who: Person, at: datetime, stream: str) -> Opinion:
        seconds = who.seconds * float(self.dice.lognormal(0, 0.45))
        return Opinion(
            at, item.key, who.name, "label", self.reading(item, who, at), stream, seconds
        )

    def ruling(self, item: Item, at: datetime) -> Opinion:
        return Opinion(at, item.key, REVIEWER.name, "settle", item.truth, "review", 0.0)

    def reading(self, item: Item, who: Person, at: datetime) -> Vote:
        """What this person takes it for."""
        if self.is_muddled(item, who, at):
            return 7
        if item.truth is None:
            return None if self.dice.random() < 0.9 else item.guess
        if item.guess != item.truth and item.is_ambiguous:
            return (item.truth, item.guess, None)[int(self.dice.integers(3))]
        if self.dice.random() < who.mistakes:
            return int(self.dice.integers(10))
        return item.truth

    def is_muddled(self, item: Item, who: Person, at: datetime) -> bool:
        then = MUDDLED[0] <= self.period.share(at) < MUDDLED[1]
        return then and who.name == MUDDLER and item.truth == 1 and self.dice.random() < MUDDLE

    def with_slips(self, opinion: Opinion) -> Iterator[Opinion]:
        """Now and then the wrong key, the undo, and the right one."""
        if opinion.says is not None and self.dice.random() < SLIP:
            wrong = replace(opinion, says=(opinion.says + 1) % 10, wants_second=False)
            yield wrong
            yield replace(wrong, at=opinion.at + timedelta(seconds=3), kind="undo")
            opinion = replace(opinion, at=opinion.at + timedelta(seconds=7))
        yield opinion

    def answers_to_gold(self, key: int, digit: int, since: datetime) -> Iterator[Opinion]:
        """Most labelers meet each known answer once."""
        for who in self.in_some_order():
            if self.dice.random() < 0.7:
                says = int(self.dice.integers(10)) if self.dice.random() < who.mistakes else digit
                at = self.later(since, days=12)
                seconds = who.seconds * float(self.dice.lognormal(0, 0.45))
                yield Opinion(at, key, who.name, "label", says, "unsure", seconds, is_gold=True)

    def in_some_order(self) -> list[Person]:
        shares = [person.share for person in LABELERS]
        places = self.dice.choice(len(LABELERS), size=len(LABELERS), replace=False, p=shares)
        return [LABELERS[int(place)] for place in places]

    def later(self, than: datetime, *, days: float) -> datetime:
        """Some days on, in waking hours, and later all the same."""
        than = than.astimezone(self.zone)
        day = than.date() + timedelta(days=int(self.dice.exponential(days)))
        at = moment_on(day, float(hours(1, self.dice)[0]), self.zone)
        if at > than:
            return at
        return moment_on(day + timedelta(days=1), float(hours(1, self.dice)[0]), self.zone)


def chance_of_a_label(item: Item) -> float:
    """The queue shows audits first, then what visitors contradict, then what was unsure."""
    if item.is_audit:
        return 0.97
    if item.feedback is not None:
        return 0.85 if item.feedback.says != item.guess else 0.45
    return 0.8 if item.margin < 0.7 else 0.4
