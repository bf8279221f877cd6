"""Whether the model or the drawings made accuracy change between two months.

One version reads both months' drawings again: the one that read most of the earlier month. What it
reads otherwise than they were read at the time is the model's part of the change; what it reads
better in one month than in the other is the drawings' part.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, F, OuterRef, Q, Subquery

from dashboard.axes import DIGITS, millionths
from dashboard.cube.sums import audit_counts, authors_of, months
from dashboard.figures.difference import ShareDifference, between_pairs, difference, sum_of_pairs
from dashboard.figures.figure import ENOUGH, Share
from dashboard.figures.sample import Audits, sample_of_audits
from dashboard.figures.sentences import of_enough
from dashboard.figures.words import as_hundred, end_in_points, in_points, of_n
from dashboard.filters import Filters
from dashboard.models import ReplayItem, ReplayReading
from dashboard.replay.month_counts import learned_by
from labeling.models import Stream
from predictions.models import ModelVersion
from training.snapshots.lineage import ancestry
from training.trials.pairs import Pairs
from training.trials.sentences import number_of

AS_READ = Q(prediction__digit=F("digit"))  # right when it was drawn
AGAIN = Q(again=F("digit"))  # right in the replay
UNCHANGED = ShareDifference(0.0, 0.0, 0.0)

Places = dict[tuple[date, int], tuple[Pairs, int]]  # by month and chance; the int is right again


@dataclass(frozen=True, slots=True)
class Reread:
    """A month's drawings as they were read, and as one version reads them in the replay."""

    n: int
    as_read: Share | None
    again: Share | None  # its interval is about other people's drawings too
    gain: ShareDifference | None  # as read minus again

    @property
    def is_enough(self) -> bool:
        return self.n >= ENOUGH


@dataclass(frozen=True, slots=True)
class Causes:
    """The parts of a change; `readers` are how many labeled drawings each version read."""

    month: date
    before: date
    version: str  # reads both months again
    readers: Counter[str]
    readers_before: Counter[str]
    now: Reread
    then: Reread

    @property
    def is_one_version(self) -> bool:
        """Whether one version read all drawings of both months."""
        return set(self.readers) == set(self.readers_before) == {self.version}

    @property
    def is_known(self) -> bool:
        return self.now.is_enough and self.then.is_enough

    @property
    def by_model(self) -> ShareDifference | None:
        if self.is_one_version:
            return UNCHANGED
        if not self.is_known:
            return None
        assert self.now.gain is not None
        assert self.then.gain is not None
        was = UNCHANGED if set(self.readers_before) == {self.version} else self.then.gain
        return difference(was, self.now.gain)

    @property
    def by_drawings(self) -> ShareDifference | None:
        if not self.is_known:
            return None
        assert self.then.again is not None
        assert self.now.again is not None
        return difference(self.then.again, self.now.again)

    @property
    def verdict(self) -> str:
        """What changed by more than chance."""
        if self.is_one_version:
            return f"{self.version} read both months, so it is the drawings that changed."
        if not self.is_known:
            return "The replay cannot tell yet whether the model or the drawings made it."
        if not self.made:
            return "Whether the model or the drawings made it cannot be told from chance."
        return f"The replay shows that {' and '.join(self.made)}, by more than chance."

    @property
    def made(self) -> list[str]:
        """How the model and the drawings changed, if by more than chance."""
        parts = {
            ("the model got better", "the model got worse"): self.by_model,
            ("the drawings got easier", "the drawings got harder"): self.by_drawings,
        }
        return [
            rose if part.value > 0 else fell
            for (rose, fell), part in parts.items()
            if part and part.is_more_than_chance
        ]

    @property
    def model_in_words(self) -> str:
        if self.is_one_version:
            return f"{self.version} read all labeled drawings of both months."
        if self.by_model is None:
            return self.unknown
        assert self.now.again is not None
        assert self.now.as_read is not None
        read, total = self.readers_before[self.version], self.readers_before.total()
        said = (
            f"{self.version} read {read:,} of the {number_of(total, 'labeled drawing')} of"
            f" {self.before:%B %Y}. On the same {self.now.n:,} drawings of this month it reads"
            f" {as_hundred(self.now.again.value)} of 100 right; when they were drawn,"
            f" {as_hundred(self.now.as_read.value)} were read right"
        )
        if set(self.readers_before) != {self.version}:
            assert self.then.gain is not None
            said += f" ({in_points(self.then.gain.value)} points apart in {self.before:%B %Y})"
        return f"{said}. The model’s part of the change: {part_in_words(self.by_model)}."

    @property
    def drawings_in_words(self) -> str:
        if self.is_one_version:
            return "Only they could change, since the model was the same."
        if self.by_drawings is None:
            return self.unknown
        assert self.then.again is not None
        assert self.now.again is not None
        return (
            f"{self.version} reads {as_hundred(self.then.again.value)} of 100 drawings of"
            f" {self.before:%B %Y} right ({of_n(self.then.n)}) and"
            f" {as_hundred(self.now.again.value)} of this month’s ({of_n(self.now.n)})."
            f" The drawings’ part of the change: {part_in_words(self.by_drawings)}."
        )

    @property
    def unknown(self) -> str:
        fewest = min(self.now.n, self.then.n)
        return f"{self.version} has not read enough drawings of a month again: {of_enough(fewest)}."


def part_in_words(part: ShareDifference) -> str:
    low, high = end_in_points(part.low), end_in_points(part.high)
    return f"{in_points(part.value)} points (95%: {low} to {high}), {part.in_words}"


def causes_of(before: date, month: date) -> Causes | None:
    """Two months, each with labeled audits; None if nobody read the earlier one."""
    readers_before, readers = readers_of(before), readers_of(month)
    if not readers_before:
        return None
    ((name, _),) = readers_before.most_common(1)
    version = ModelVersion.objects.defer("card", "canary").get(name=name)
    places, told = read_again(version, before, month), {**audits_of(before), **audits_of(month)}
    return Causes(
        month, before, name, readers, readers_before,
        now=reread(places, month, told), then=reread(places, before, told),
    )  # fmt: skip


def readers_of(month: date) -> Counter[str]:
    """How many of the month's audits with a readable label each version read."""
    found: Counter[str] = Counter()
    for each in months(Filters(first=month, last=month), "readings", stream=Stream.AUDIT):
        found[each.version] += int(each["readings"][:, :DIGITS].sum())
    return +found


def audits_of(month: date) -> Audits:
    return audit_counts(Filters(first=month, last=month))


def read_again(version: ModelVersion, *months: date) -> Places:
    """What the version reads in drawings that it did not learn from, beside what was read then."""
    chain = [each.pk for each in ancestry(version)][::-1]
    learned = learned_by(chain)[version.pk]
    said = ReplayReading.objects.filter(version=version, glyph_digest=OuterRef("glyph_digest"))
    items = (
        ReplayItem.objects.filter(month__in=months)
        .annotate(again=Subquery(said.values("digit")[:1]))
        .filter(again__isnull=False)
        .exclude(glyph_digest__in=learned)
    )
    rows = items.order_by().values("month", "chance")
    counted = rows.annotate(
        n=Count("pk"),
        right=Count("pk", filter=AGAIN),
        better=Count("pk", filter=AS_READ & ~AGAIN),
        worse=Count("pk", filter=~AS_READ & AGAIN),
    )
    found: defaultdict[tuple[date, int], list[Mapping[str, Any]]] = defaultdict(list)
    for row in counted:
        found[row["month"], millionths(row["chance"])].append(row)
    return {
        place: (
            sum_of_pairs(Pairs(row["better"], row["worse"], row["n"]) for row in some),
            sum(row["right"] for row in some),
        )
        for place, some in found.items()
    }


def reread(places: Places, month: date, told: Audits) -> Reread:
    here = {place: found for place, found in places.items() if place[0] == month}
    pairs = {place: found for place, (found, _) in here.items()}
    n = sum(each.n for each in pairs.values())
    if not n:
        return Reread(0, None, None, None)
    again = [(*place, each.n, right) for place, (each, right) in here.items()]
    as_read = [
        (*place, each.n, right + each.better - each.worse) for place, (each, right) in here.items()
    ]
    sample, authors = sample_of_audits(again, told), authors_of(Filters(first=month, last=month))
    sample.authors = authors
    return Reread(
        n,
        sample_of_audits(as_read, told).share,
        sample.share_of_others(),
        between_pairs(pairs, told, authors),
    )
