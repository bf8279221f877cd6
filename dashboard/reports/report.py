"""The report of one month: what changed, whether it is more than chance, what to label next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from django.utils import timezone

from dashboard.axes import DIGITS, UNLABELED, after
from dashboard.cube.sums import audit_counts, flows, months
from dashboard.figures.difference import Difference, difference
from dashboard.figures.figure import Share
from dashboard.filters import Filters
from dashboard.flow import ACTS
from dashboard.models import MonthSums
from dashboard.reports.compare import Comparison, Side, of_months, of_versions, sides_of_versions
from labeling.models import Stream
from labeling.queue.overview import of_queue
from predictions.models import ModelVersion
from training.models import Promotion
from training.trials.pairs import holm

LEVEL = 0.05
Z95 = 1.96
WORTH = 0.02  # the wanted half width of an interval: 2 points
NEXT = 3  # suggestions in the report


@dataclass(frozen=True, slots=True)
class DigitChange:
    """The change of one digit's accuracy between two months."""

    digit: int
    before: Share | None
    after: Share | None
    n: int
    worth: float  # labels of a simple random sample that would tell as much
    is_enough: bool
    difference: Difference | None
    is_real: bool  # more than chance, corrected for testing ten digits


@dataclass(frozen=True, slots=True)
class Wish:
    """A suggestion what to label next, and the reason."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Report:
    month: date
    previous: date | None  # the nearest earlier month with labels
    comparison: Comparison | None
    here: Side
    drawings: int
    decisions: int  # of labelers in the month
    corrections: int
    promotions: list[Promotion]
    model: Comparison | None  # the versions live before and now, on the same drawings
    drawings_changed: Difference | None  # one version on both months' drawings
    versions: tuple[str, str] | None
    digits: list[DigitChange]
    wishes: list[Wish]
    unlabeled: int  # audited drawings of the month without a label

    @property
    def verdict(self) -> str:
        """Whether the change is more than chance, in words."""
        if self.comparison is None or self.comparison.difference is None:
            return "There is no earlier month with labels to compare with."
        found = self.comparison.difference
        if not found.is_more_than_chance:
            return "No change can be told from chance."
        way = "better" if found.value > 0 else "worse"
        return f"Drawings were read {way} than before, by more than chance. {self.because}"

    @property
    def because(self) -> str:
        """Whether the model or the drawings caused the change."""
        by_model = self.model is not None and self.model.difference is not None
        if not by_model and self.drawings_changed is None:
            return "The replay cannot say yet whether the model or the drawings made it."
        made = []
        if by_model and self.model.difference.is_more_than_chance:  # type: ignore[union-attr]
            made.append("the model")
        if self.drawings_changed is not None and self.drawings_changed.is_more_than_chance:
            made.append("the drawings")
        if not made:
            return "Whether the model or the drawings made it cannot be told from chance."
        return f"The replay shows that {' and '.join(made)} changed."


def months_with_drawings() -> list[date]:
    """Months with drawings, oldest first."""
    return list(MonthSums.objects.order_by("month").values_list("month", flat=True).distinct())


def monthly_report(month: date) -> Report:
    here, before, comparison = sides_of(month)
    versions = live_then_and_now(month)
    model = drawings_changed = None
    if versions is not None and before is not None:
        then, now = versions
        if then != now:
            model = of_versions(then, now, Filters(first=month, last=month))
        drawings_changed = same_version(then, before, month)
    counted = months(Filters(first=month, last=month), "days")
    drawings = sum(int(each["days"][:, :, 0].sum()) for each in counted)
    unlabeled = sum(
        int(each["days"][:, UNLABELED, 0].sum()) for each in counted if each.stream == Stream.AUDIT
    )
    acts = dict.fromkeys(ACTS, 0)
    for _, done in flows(Filters(first=month, last=month)):
        for name, number in zip(ACTS, done.sum(axis=0).tolist(), strict=True):
            acts[name] += number
    digits = digit_changes(comparison, here)
    return Report(
        month=month,
        previous=before,
        comparison=comparison,
        here=here,
        drawings=drawings,
        decisions=sum(acts[name] for name in ("first", "agrees", "differs", "rulings")),
        corrections=acts["corrections"],
        promotions=promotions_in(month),
        model=model,
        drawings_changed=drawings_changed,
        versions=versions,
        digits=digits,
        wishes=wishes(digits, here, unlabeled),
        unlabeled=unlabeled,
    )


def sides_of(month: date) -> tuple[Side, date | None, Comparison | None]:
    """The month's side, the nearest earlier month with readable audits, and their comparison."""
    earlier = Filters(last=month)
    told = {
        each.month
        for each in months(earlier, "days", stream=Stream.AUDIT)
        if each["days"][:, :DIGITS, 0].any()
    }
    before = max((each for each in told if each < month), default=None)
    comparison = of_months(before or month, month, None)
    return comparison.second, before, comparison if before else None


def live_then_and_now(month: date) -> tuple[str, str] | None:
    """The versions live at the end of the previous month and at the end of this one."""
    ends = [timezone.make_aware(datetime.combine(day, time())) for day in (month, after(month))]
    ledger = list(
        Promotion.objects.order_by("made_at", "pk").values_list(
            "made_at", "before__name", "after__name"
        )
    )
    if not ledger:
        live = ModelVersion.objects.live().values_list("name", flat=True).first()
        return (live, live) if live else None
    names = []
    for end in ends:
        past = [after_ for made_at, _, after_ in ledger if made_at < end]
        names.append(past[-1] if past else ledger[0][1])
    then, now = names
    return (then, now) if then and now else None


def same_version(version: str, before: date, month: date) -> Difference | None:
    """One version's accuracy on this month's drawings minus that on the previous month's."""
    shares = []
    for each in (before, month):
        alone = Filters(first=each, last=each)
        (side,) = sides_of_versions([version], alone, audit_counts(alone))
        if side.share is None:
            return None
        shares.append(side.share)
    return difference(*shares)


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
    pairs = [(part, earlier.get(part.name)) for part in here.parts]
    found = [
        difference(before.share, now.share)
        if now.is_enough and before and before.is_enough and before.share and now.share
        else None
        for now, before in pairs
    ]
    told = [each for each in found if each is not None]
    adjusted = iter(holm([p_of(each) for each in told]))
    return [
        DigitChange(
            digit=int(now.name),
            before=before.share if before else None,
            after=now.share,
            n=now.n,
            worth=now.sample.worth,
            is_enough=now.is_enough,
            difference=each,
            is_real=each is not None and next(adjusted) < LEVEL,
        )
        for (now, before), each in zip(pairs, found, strict=True)
    ]


def p_of(found: Difference) -> float:
    """An approximate p-value of the difference, from the side of its interval toward 0."""
    reach = found.value - found.low if found.value > 0 else found.high - found.value
    if reach <= 0:
        return 1.0
    return math.erfc(Z95 * abs(found.value) / reach / math.sqrt(2))


# -- what to label next -------------------------------------------------------------------------


def wishes(digits: Sequence[DigitChange], here: Side, unlabeled: int) -> list[Wish]:
    """What to label next: audits first, then disputed labels, then the digits read worst."""
    found = []
    if unlabeled:
        found.append(
            Wish(
                f"{unlabeled:,} audited drawings of this month",
                "They were chosen at random and wait for their label; every figure here grows"
                " surer with each of them.",
            )
        )
    disputed = of_queue().disputed
    if disputed:
        noun = "label" if disputed == 1 else "labels"
        found.append(
            Wish(f"{disputed:,} disputed {noun}", "Two people disagree; a reviewer rules.")
        )
    few = [each for each in digits if not each.is_enough]
    if few:
        names = ", ".join(str(each.digit) for each in few)
        found.append(
            Wish(
                f"Audits that show {names}",
                "Too few labels to say anything about these digits on their own.",
            )
        )
    told = [each for each in digits if each.is_enough and each.after is not None]
    for each in sorted(told, key=lambda each: each.after.value if each.after else 1.0):
        assert each.after is not None
        more = labels_for(each.after, each.n, each.worth)
        if each.after.value < 1:
            found.append(
                Wish(
                    f"Drawings of {each.digit}",
                    f"Read right {each.after.value:.1%} of the time"
                    f" (between {each.after.low:.1%} and {each.after.high:.1%})"
                    + (
                        f"; about {more:,} more audits of it would tell that to 2 points."
                        if more
                        else "."
                    ),
                )
            )
    return found[:NEXT]


def labels_for(share: Share, n: int, worth: float) -> int:
    """The number of further labels that would bring the interval's half width to WORTH."""
    middle = (share.low + share.high) / 2
    needed = Z95**2 * middle * (1 - middle) / WORTH**2
    return max(0, math.ceil(needed * n / worth) - n)
