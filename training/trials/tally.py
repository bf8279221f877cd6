"""Counts of a trial: which drawings the versions read differently, and what people answered.

Everything is counted from readings and labels, and nothing is stored. Differences count in the
order in which they were read, up to the first that waits for an answer. People correct wrong
readings more often than they confirm right ones; this way, the drawings that nobody corrected are
asked about before later corrections count. Audits get no priority, so that accuracy stays
unbiased: they are counted in the same way among themselves, and hold up only later audits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q

from labeling.batches.supporters import items_resting_on
from labeling.models import Label
from labeling.queue.queue import SKIPS_BEFORE_REVIEW
from predictions.access.accounts import who_may
from predictions.capture.visitors import author_of
from predictions.models import ModelVersion
from training.models import SnapshotLabel, Trial, TrialReading
from training.snapshots.lineage import ancestry
from training.snapshots.snapshots import Rule, default_rule
from training.trials.outcomes import Outcome
from training.trials.shadow import drawn_since

NEWEST = 2_000  # drawings that show whose site it is


class Fate(StrEnum):
    """What became of a drawing that the versions read differently."""

    ANSWERED = "answered"
    WAITING = "waiting"  # for an answer
    UNREADABLE = "unreadable"
    DISPUTED = "disputed"  # people do not agree
    SKIPPED = "skipped"  # nobody is left to ask
    WITHDRAWN = "withdrawn"  # it rests on somebody who was withdrawn
    ERASED = "erased"


LEFT_OUT = [fate for fate in Fate if fate not in {Fate.ANSWERED, Fate.WAITING}]


@dataclass(frozen=True, slots=True)
class Difference:
    """A drawing that the two versions read differently."""

    prediction: int
    public_id: UUID
    author: str
    is_audit: bool
    fate: Fate
    truth: int | None  # what people answered
    live: int
    candidate: int

    @property
    def is_mended(self) -> bool:
        return self.candidate == self.truth

    @property
    def is_broken(self) -> bool:
        return self.live == self.truth

    @property
    def outcome(self) -> Outcome:
        assert self.truth is not None
        return Outcome(self.author, self.truth, self.live, self.candidate)

    def as_json(self) -> dict[str, Any]:
        """As reports name a drawing that changed."""
        return {
            "id": str(self.public_id),
            "digit": self.truth,
            "before": self.live,
            "after": self.candidate,
        }


@dataclass(frozen=True, slots=True)
class TrialTally:
    """The counts of a trial."""

    drawings: int  # read by both
    agreed_by_digit: list[int]  # ten
    counted: list[Difference] = field(default_factory=list)  # answered, up to the first that waits
    behind: int = 0  # answered, after the first that waits
    waiting: list[int] = field(default_factory=list)  # predictions to ask about, in order
    audits_waiting: int = 0
    left_out: Counter[Fate] = field(default_factory=Counter)

    @property
    def differ(self) -> int:
        return self.drawings - sum(self.agreed_by_digit)

    @property
    def undecided(self) -> int:
        """Differences that do not count yet and still may."""
        return len(self.waiting) + self.audits_waiting + self.behind

    @property
    def mended(self) -> list[Difference]:
        return [each for each in self.counted if each.is_mended]

    @property
    def broken(self) -> list[Difference]:
        return [each for each in self.counted if each.is_broken]


def tally_of(trial: Trial) -> TrialTally:
    """Count a trial's readings and the answers to its differences."""
    rule = default_rule()
    read = TrialReading.objects.filter(trial=trial, prediction__erased_at__isnull=True)
    read = read.exclude(prediction__visitor__in=rule.without_visitors)
    agreed = read.filter(live_digit=F("candidate_digit"))
    by_digit = dict(agreed.order_by().values_list("live_digit").annotate(Count("pk")))
    tally = TrialTally(read.count(), [by_digit.get(digit, 0) for digit in range(10)])
    return with_answers(tally, differences(trial, rule))


def with_answers(tally: TrialTally, found: Iterable[Difference]) -> TrialTally:
    """Sort the differences, oldest first, into those that count, wait, or are left out."""
    counted, waiting, left_out = list[Difference](), list[int](), Counter[Fate]()
    behind = audits_waiting = 0
    for each in found:
        if each.fate is Fate.WAITING and each.is_audit:
            audits_waiting += 1
        elif each.fate is Fate.WAITING:
            waiting.append(each.prediction)
        elif each.fate is not Fate.ANSWERED:
            left_out[each.fate] += 1
        elif audits_waiting if each.is_audit else waiting:
            behind += 1
        else:
            counted.append(each)
    return replace(
        tally,
        counted=counted,
        behind=behind,
        waiting=waiting,
        audits_waiting=audits_waiting,
        left_out=left_out,
    )


FIELDS = [
    "prediction_id", "live_digit", "candidate_digit", "prediction__public_id",
    "prediction__user_id", "prediction__visitor", "prediction__glyph_digest",
    "prediction__is_audit", "prediction__erased_at", "prediction__label__digit",
    "prediction__label__is_unreadable", "prediction__label__state", "prediction__label__opinions",
    "prediction__queue_item__is_open", "prediction__queue_item__skips",
]  # fmt: skip


def differences(trial: Trial, rule: Rule) -> Iterator[Difference]:
    """The drawings that the versions read differently, in the order in which they were read."""
    rows = TrialReading.objects.filter(trial=trial).exclude(live_digit=F("candidate_digit"))
    enough_skips = skips_that_end()
    resting = items_resting_on(rule.without_labelers, rule.without_visitors)
    for row in rows.order_by("pk").values_list(*FIELDS):
        key, live, candidate, public_id, user, visitor, glyph, is_audit, erased, *said = row
        digit, is_unreadable, state, opinions, is_open, skips = said
        if erased is not None:
            fate = Fate.ERASED
        elif key in resting or str(visitor) in rule.without_visitors:
            fate = Fate.WITHDRAWN
        elif state is None:
            fate = Fate.WAITING if is_open and skips < enough_skips else Fate.SKIPPED
        else:
            fate = fate_of_labeled(state, opinions, is_unreadable=is_unreadable)
        author = author_of(user, visitor, glyph)
        yield Difference(key, public_id, author, is_audit, fate, digit, live, candidate)


def fate_of_labeled(state: str, opinions: int, *, is_unreadable: bool) -> Fate:
    if state == Label.State.DISPUTED or (state == Label.State.AWAITING and opinions > 1):
        return Fate.DISPUTED
    return Fate.UNREADABLE if is_unreadable else Fate.ANSWERED


def skips_that_end() -> int:
    """How often an item must be skipped until nobody is left to ask."""
    return max(1, who_may("labeling.label_items")[:SKIPS_BEFORE_REVIEW].count())


# -- people ---------------------------------------------------------------------------------------


def shares_of_authors() -> dict[str, float]:
    """Each author's share of the newest drawings here, also of those before any trial."""
    newest = drawn_since(0).order_by("-pk").values_list("user", "visitor", "glyph_digest")[:NEWEST]
    drawn = Counter(author_of(*row) for row in newest)
    return {author: count / drawn.total() for author, count in drawn.items()}


def drawn_by(trial: Trial, authors: Iterable[str]) -> int:
    """How many of the trial's drawings are by these people."""
    read = TrialReading.objects.filter(trial=trial, prediction__erased_at__isnull=True)
    return read.filter(by(authors, "prediction")).count()


def known_authors(version: ModelVersion, authors: Iterable[str]) -> set[str]:
    """Which of these people drew something that the version or an ancestor learned from."""
    lineage = [each.pk for each in ancestry(version)]
    learned = SnapshotLabel.objects.filter(snapshot__runs__version__in=lineage)
    rows = learned.filter(by(authors, "event__prediction")).order_by()
    people = rows.values_list("event__prediction__user", "event__prediction__visitor").distinct()
    return {author_of(user, visitor, UUID(int=0)) for user, visitor in people}


def by(authors: Iterable[str], path: str) -> Q:
    """Rows whose prediction, at this path, one of these known people drew."""
    named = [author.partition(" ") for author in authors]
    users = [key for kind, _, key in named if kind == "user"]
    visitors = [key for kind, _, key in named if kind == "visitor"]
    return Q(**{f"{path}__user__in": users}) | Q(**{f"{path}__visitor__in": visitors})
