"""The report of one month: what changed, whether it is more than chance, what to label next."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from django.utils import timezone

from dashboard.axes import DIGITS, UNLABELED
from dashboard.cube.sums import flows, months, within_filters
from dashboard.figures.accuracy import months_with_enough
from dashboard.figures.difference import ShareDifference, between
from dashboard.figures.figure import ENOUGH, Share
from dashboard.figures.sentences import of_enough
from dashboard.figures.words import about, as_hundred
from dashboard.filters import Filters
from dashboard.flow import ACTS
from dashboard.models import MonthSums
from dashboard.reports.causes import Causes, causes_of, readers_of
from dashboard.reports.compared_months import of_months
from dashboard.reports.comparison import Bar, Comparison, Side
from labeling.models import Stream
from labeling.queue.overview import of_queue
from predictions.months import after
from predictions.shares import Z95
from training.models import Promotion
from training.trials.pairs import holm
from training.trials.sentences import number_of

LEVEL = 0.05
WORTH = 0.02  # the wanted half width of an interval: 2 points
NEXT = 3  # suggestions in the report
DECISIONS = ("first", "agrees", "differs", "rulings", "corrections")  # of ACTS


@dataclass(frozen=True, slots=True)
class DigitChange:
    """The change of one digit's accuracy between two months."""

    digit: int
    before: Share | None
    after: Share | None
    n: int
    worth: float  # labels of a simple random sample that would tell as much
    is_enough: bool
    difference: ShareDifference | None
    is_real: bool  # more than chance, corrected for testing ten digits


@dataclass(frozen=True, slots=True)
class Wish:
    """A suggestion what to label next, and the reason."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    month: date
    previous: date | None  # the nearest earlier month with enough labels
    comparison: Comparison | None
    here: Side
    drawings: int
    decisions: int  # of labelers in the month
    misread: int  # the change of their number, by what was decided in the month
    promotions: list[Promotion]
    readers: Counter[str]  # how many of its labeled drawings each version read
    causes: Causes | None
    digits: list[DigitChange]
    wishes: list[Wish]
    unlabeled: int  # audited drawings of the month without a label

    @property
    def verdict(self) -> str:
        """Whether the change is more than chance, in words."""
        if not self.here.is_enough:
            return f"There are too few labels to tell a change: {of_enough(self.here.n)}."
        if self.comparison is None or self.comparison.difference is None:
            return f"No earlier month has the {ENOUGH} labels needed to compare with."
        found = self.comparison.difference
        if not found.is_more_than_chance:
            said = "The change in accuracy cannot be told from chance."
            parts = self.causes
            if parts and parts.made and not parts.is_one_version:  # which cancel each other
                said = f"{said} {parts.verdict}"
            return said
        way = "better" if found.value > 0 else "worse"
        said = f"Drawings were read {way} than before, by more than chance."
        return f"{said} {self.causes.verdict}" if self.causes else said

    @property
    def work_in_words(self) -> str:
        """What labelers did in the month."""
        said = f"{number_of(self.decisions, 'decision')} by labelers"
        if self.misread < 0:
            return f"{said}; {-self.misread:,} fewer are called misread than before"
        return f"{said}; {self.misread:,} found to be misread"

    @property
    def readers_in_words(self) -> str:
        """Which versions read the month's labeled drawings."""
        told = self.readers.most_common()
        if len(told) == 1:
            return f"{told[0][0]} read all labeled drawings of the month."
        counts = ", ".join(f"{name} read {n:,}" for name, n in told)
        return f"Of its labeled drawings, {counts}." if told else ""


def months_with_drawings() -> list[date]:
    """Months with drawings, oldest first."""
    rows = within_filters(MonthSums.objects.all(), Filters())
    return list(rows.order_by("month").values_list("month", flat=True).distinct())


def monthly_report(month: date) -> Report:
    before = max((each for each in months_with_enough(Filters()) if each < month), default=None)
    comparison = of_months(before or month, month, None)
    here = comparison.second
    compared = comparison if before and here.is_enough else None
    drawings, unlabeled = count_of_drawings(month)
    acts = acts_in(month)
    digits = digit_changes(compared, here)
    return Report(
        month=month,
        previous=before,
        comparison=comparison if before else None,
        here=here,
        drawings=drawings,
        decisions=sum(acts[name] for name in DECISIONS),
        misread=acts["wrong"],
        promotions=promotions_in(month),
        readers=readers_of(month),
        causes=causes_of(before, month) if before and compared else None,
        digits=digits,
        wishes=wishes(digits, unlabeled),
        unlabeled=unlabeled,
    )


def count_of_drawings(month: date) -> tuple[int, int]:
    """The number of drawings, and of audited ones without a label."""
    drawings = unlabeled = 0
    for each in months(Filters(first=month, last=month), "days"):
        drawings += int(each["days"][:, :, 0].sum())
        if each.stream == Stream.AUDIT:
            unlabeled += int(each["days"][:, UNLABELED, 0].sum())
    return drawings, unlabeled


def acts_in(month: date) -> Counter[str]:
    """How often each of ACTS was done."""
    found: Counter[str] = Counter()
    for _, by_day in flows(Filters(first=month, last=month)):
        found.update(dict(zip(ACTS, by_day.sum(axis=0).tolist(), strict=True)))
    return found


def promotions_in(month: date) -> list[Promotion]:
    start, end = (
        timezone.make_aware(datetime.combine(day, time())) for day in (month, after(month))
    )
    rows = Promotion.objects.filter(made_at__gte=start, made_at__lt=end).order_by("made_at", "pk")
    return list(
        rows.select_related("before", "after").only(
            "kind", "made_at", "before__name", "after__name"
        )
    )


# -- digits -------------------------------------------------------------------------------------


def digit_changes(comparison: Comparison | None, here: Side) -> list[DigitChange]:
    """The change of each digit, with Holm's correction for ten tests."""
    earlier = {part.name: part for part in comparison.first.parts} if comparison else {}
    told = {
        now.name: found
        for now in here.parts
        if (before := earlier.get(now.name)) and (found := difference_if_told(before, now))
    }
    adjusted = dict(zip(told, holm([p_of(found) for found in told.values()]), strict=True))
    return [
        DigitChange(
            digit=int(now.name),
            before=earlier[now.name].share if now.name in earlier else None,
            after=now.share,
            n=now.n,
            worth=now.sample.worth,
            is_enough=now.is_enough,
            difference=told.get(now.name),
            is_real=adjusted.get(now.name, 1.0) < LEVEL,
        )
        for now in here.parts
    ]


def difference_if_told(before: Bar, now: Bar) -> ShareDifference | None:
    """The difference, if both have enough labels to tell it."""
    return between(before.sample, now.sample) if before.is_enough and now.is_enough else None


def p_of(found: ShareDifference) -> float:
    """An approximate p-value of the difference, from the side of its interval toward 0."""
    reach = found.value - found.low if found.value > 0 else found.high - found.value
    if reach <= 0:
        return 1.0
    return math.erfc(Z95 * abs(found.value) / reach / math.sqrt(2))


# -- what to label next -------------------------------------------------------------------------


def wishes(digits: Sequence[DigitChange], unlabeled: int) -> list[Wish]:
    """What to label next: audits first, then disputed labels, then the digits read worst."""
    found = []
    if unlabeled:
        found.append(
            Wish(
                f"{number_of(unlabeled, 'audited drawing')} of this month",
                "Chosen at random, not labeled yet: every label makes the figures here surer.",
            )
        )
    if disputed := of_queue().disputed:
        found.append(
            Wish(number_of(disputed, "disputed label"), "Two people disagree; a reviewer rules.")
        )
    if few := [str(each.digit) for each in digits if not each.is_enough]:
        names = ", ".join(few)
        which = (
            "Every digit has" if len(few) == DIGITS else f"Digits with too few: {names}. Each has"
        )
        found.append(Wish("More audits", f"{which} fewer than {ENOUGH} labels this month."))
    return [*found, *wishes_by_digit(digits)][:NEXT]


def wishes_by_digit(digits: Sequence[DigitChange]) -> Iterator[Wish]:
    """Drawings of digits with enough labels, the one read worst first."""
    told = [(each, each.after) for each in digits if each.is_enough and each.after]
    for each, share in sorted(told, key=lambda pair: pair[1].value):
        more = labels_for(share, each.n, each.worth)
        if more or share.value < 1:
            yield Wish(f"Drawings of {each.digit}", read_so_far(share, more))


def read_so_far(share: Share, more: int) -> str:
    """How well a digit is read, and how many more audits would tell it to 2 points."""
    said = (
        f"Of 100, {as_hundred(share.value)} are read right (between {as_hundred(share.low)} and"
        f" {as_hundred(share.high)})"
    )
    if not more:
        return f"{said}."
    return f"{said}; about {about(more)} more audits of it would tell that to 2 points."


def labels_for(share: Share, n: int, worth: float) -> int:
    """The number of further labels that would bring the interval's half width to WORTH."""
    middle = (share.low + share.high) / 2
    needed = Z95**2 * middle * (1 - middle) / WORTH**2
    return max(0, math.ceil(needed * n / worth) - n)
