"""Counts of a trial: which drawings the versions read differently, and what people answered.

Everything is counted from readings and labels, and nothing is stored. Differences count in the
order in which they were read, up to the first that waits for an answer. People correct wrong
readings more often than they confirm right ones; this way, the drawings that nobody corrected are
asked about before later corrections count. Audits get no priority, so that accuracy stays
unbiased: they are counted in the same way among themselves, and hold up only later audits.

Nobody is asked about their own audits. Where one person alone labels, nobody will ever be: there,
what the author says of an audit counts here, and one of which they say nothing is presumed broken.
A label, once there is one, counts instead. Audits stay without a label, and accuracy without them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
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
    PRESUMED = "presumed"  # broken: an audit that only its author could label, and did not correct
    UNREADABLE = "unreadable"
    DISPUTED = "disputed"  # people do not agree
    SKIPPED = "skipped"  # nobody is left to ask
    WITHDRAWN = "withdrawn"  # it rests on somebody who was withdrawn
    ERASED = "erased"


LEFT_OUT = [fate for fate in Fate if fate not in {Fate.ANSWERED, Fate.WAITING, Fate.PRESUMED}]


@dataclass(frozen=True, slots=True)
class Difference:
    """A drawing that the two versions read differently."""

    prediction: int
    public_id: UUID
    author: str
    among_audits: bool  # it waits in the order of audits
    is_labeled: bool
    fate: Fate
    truth: int | None  # what people answered, or what is presumed
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
    presumed: list[Difference] = field(default_factory=list)  # broken, as far as anybody knows
    behind: int = 0  # answered or presumed, after the first that waits
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
    counted, presumed = list[Difference](), list[Difference]()
    waiting, left_out = list[int](), Counter[Fate]()
    behind = audits_waiting = 0
    for each in found:
        if each.fate is Fate.WAITING and each.among_audits:
            audits_waiting += 1
        elif each.fate is Fate.WAITING:
            waiting.append(each.prediction)
        elif each.fate in LEFT_OUT:
            left_out[each.fate] += 1
        elif audits_waiting if each.among_audits else waiting:
            behind += 1
        elif each.fate is Fate.PRESUMED:
            presumed.append(each)
        else:
            counted.append(each)
    return replace(
        tally,
        counted=counted,
        presumed=presumed,
        behind=behind,
        waiting=waiting,
        audits_waiting=audits_waiting,
        left_out=left_out,
    )


class DifferenceRow(NamedTuple):
    """A drawing that the versions read differently, with what people said of it."""

    prediction: int
    live: int
    candidate: int
    public_id: UUID
    user: int | None
    visitor: UUID | None
    glyph: UUID
    is_audit: bool
    erased_at: datetime | None
    said_by: int | None  # whose feedback it has, with a login
    word: int | None
    digit: int | None  # its label
    is_unreadable: bool | None
    state: str | None
    opinions: int | None
    is_open: bool | None  # its place in the queue
    skips: int | None


FIELDS = [
    "prediction_id", "live_digit", "candidate_digit", "prediction__public_id",
    "prediction__user_id", "prediction__visitor", "prediction__glyph_digest",
    "prediction__is_audit", "prediction__erased_at", "prediction__feedback__user_id",
    "prediction__feedback__digit", "prediction__label__digit", "prediction__label__is_unreadable",
    "prediction__label__state", "prediction__label__opinions", "prediction__queue_item__is_open",
    "prediction__queue_item__skips",
]  # fmt: skip


def differences(trial: Trial, rule: Rule) -> Iterator[Difference]:
    """The drawings that the versions read differently, in the order in which they were read."""
    found = TrialReading.objects.filter(trial=trial).exclude(live_digit=F("candidate_digit"))
    labelers = some_labelers()
    alone = labelers[0] if len(labelers) == 1 and labelers[0] not in rule.without_labelers else None
    resting = items_resting_on(rule.without_labelers, rule.without_visitors)
    for row in map(DifferenceRow._make, found.order_by("pk").values_list(*FIELDS)):
        is_own_audit = row.is_audit and row.user is not None and row.user == alone
        truth = row.digit
        if row.erased_at is not None:
            fate = Fate.ERASED
        elif row.prediction in resting or str(row.visitor) in rule.without_visitors:
            fate = Fate.WITHDRAWN
        elif row.state is not None:
            fate = fate_of_labeled(row)
        elif is_own_audit:
            fate, truth = by_word_of_author(row)
        else:
            fate = fate_without_label(row, enough_skips=max(1, len(labelers)))
        yield Difference(
            row.prediction, row.public_id, author_of(row.user, row.visitor, row.glyph),
            row.is_audit and not is_own_audit, row.state is not None, fate, truth, row.live,
            row.candidate,
        )  # fmt: skip


def fate_of_labeled(row: DifferenceRow) -> Fate:
    is_awaiting = row.state == Label.State.AWAITING
    if row.state == Label.State.DISPUTED or (is_awaiting and (row.opinions or 0) > 1):
        return Fate.DISPUTED
    return Fate.UNREADABLE if row.is_unreadable else Fate.ANSWERED


def by_word_of_author(row: DifferenceRow) -> tuple[Fate, int | None]:
    """What becomes of an audit that only its author could label, and what it is."""
    if row.said_by != row.user:
        return Fate.PRESUMED, row.live
    return (Fate.UNREADABLE if row.word is None else Fate.ANSWERED), row.word


def fate_without_label(row: DifferenceRow, *, enough_skips: int) -> Fate:
    is_left = bool(row.is_open) and (row.skips or 0) < enough_skips
    return Fate.WAITING if is_left else Fate.SKIPPED


def some_labelers() -> list[int]:
    """Accounts that label, as many as must skip an item until it goes to review, or fewer."""
    accounts = who_may("labeling.label_items").values_list("pk", flat=True)
    return list(accounts[:SKIPS_BEFORE_REVIEW])


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
