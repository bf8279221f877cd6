"""Filters of the admin's lists, in the domain's words. Unknown values are refused."""

from __future__ import annotations

import datetime
from typing import Any, ClassVar

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth.models import User
from django.db.models import Exists, F, Max, Min, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from labeling.models import Label, LabelEvent, Stream
from predictions.models import DIGITS, STRANGE, ModelVersion, Prediction
from predictions.months import months_between

LOW = 0.8  # confidence below which a guess counts as unsure


class Claim(SimpleListFilter):
    """A filter with named conditions, one for each value."""

    claims: ClassVar[dict[str, tuple[str, Q]]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, title) for value, (title, _) in self.claims.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        # Not ignored: the unfiltered list would look like a result.
        if value not in {str(offered) for offered, _ in self.lookup_choices}:
            raise IncorrectLookupParameters(f"{self.parameter_name} cannot be {value}.")
        return self.narrow(queryset, value)

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(self.claims[value][1])


def set_and_unequal(one: str, other: str) -> Q:
    """Both are set and unequal; NULL on either side is no difference."""
    return Q(**{f"{one}__lt": F(other)}) | Q(**{f"{one}__gt": F(other)})


class ByPredicted(Claim):
    title = "digit predicted"
    parameter_name = "predicted"
    claims = {str(digit): (str(digit), Q(digit=digit)) for digit in DIGITS}


class ByLabel(Claim):
    title = "label"
    parameter_name = "label"
    claims = {
        "none": ("unlabeled", Q(label__isnull=True)),
        "disagrees": (
            "disagrees with the guess",
            set_and_unequal("label__digit", "digit") | Q(label__is_unreadable=True),
        ),
        "agrees": ("agrees with the guess", Q(label__digit=F("digit"))),
        "awaiting": ("waits for another opinion", Q(label__state=Label.State.AWAITING)),
        "disputed": ("disputed", Q(label__state=Label.State.DISPUTED)),
        "unreadable": ("unreadable", Q(label__is_unreadable=True)),
        **{str(digit): (f"is a {digit}", Q(label__digit=digit)) for digit in DIGITS},
    }


class ByFeedback(Claim):
    title = "visitor's feedback"
    parameter_name = "feedback"
    claims = {
        "wrong": (
            "says wrong",
            set_and_unequal("feedback__digit", "digit")
            | Q(feedback__isnull=False, feedback__digit__isnull=True),
        ),
        "right": ("says right", Q(feedback__digit=F("digit"))),
        "no_digit": ("says no digit", Q(feedback__isnull=False, feedback__digit__isnull=True)),
        "none": ("none", Q(feedback__isnull=True)),
    }


class ByConfidence(Claim):
    title = "confidence"
    parameter_name = "confidence"
    claims = {
        "low": (f"low, under {LOW:.0%}", Q(confidence__lt=LOW)),
        "high": (f"{LOW:.0%} or more", Q(confidence__gte=LOW)),
    }


class ByStrangeness(Claim):
    title = "strangeness"
    parameter_name = "strange"
    claims = {
        "yes": (f"probably not a digit, {STRANGE:.0%} or more", Q(strangeness__gte=STRANGE)),
        "no": (f"under {STRANGE:.0%}", Q(strangeness__lt=STRANGE)),
    }


class ByStream(Claim):
    title = "waits in stream"
    parameter_name = "stream"
    claims = {
        stream: (stream, Q(queue_item__stream=stream, queue_item__is_open=True))
        for stream in Stream.values
    }


class BySource(Claim):
    title = "source"
    parameter_name = "source"
    claims = {value: (str(title), Q(source=value)) for value, title in Prediction.Source.choices}


class ByAudit(Claim):
    title = "audit"
    parameter_name = "audit"
    claims = {"yes": ("audits", Q(is_audit=True)), "no": ("the rest", Q(is_audit=False))}


class ByMonth(Claim):
    title = "month drawn"
    parameter_name = "month"
    path = ""  # from a row of the list to its prediction

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Every month from the first drawing to the last, newest first."""
        span = Prediction.objects.aggregate(first=Min("day"), last=Max("day"))
        return month_choices(span["first"], span["last"])

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        first, following = bounds_of(value)
        day = f"{self.path}day"
        return queryset.filter(**{f"{day}__gte": first, f"{day}__lt": following})


def month_choices(first: datetime.date | None, last: datetime.date | None) -> list[tuple[str, str]]:
    """Newest first; none where there is no first day."""
    if first is None or last is None:
        return []
    months = reversed([*months_between(first, last)])
    return [(f"{month:%Y-%m}", f"{month:%B %Y}") for month in months]


def bounds_of(month: str) -> tuple[datetime.date, datetime.date]:
    """The first day of a month and of the one after it."""
    first = datetime.date.fromisoformat(f"{month}-01")
    return first, (first + datetime.timedelta(days=32)).replace(day=1)


class ByVersion(Claim):
    title = "model version"
    parameter_name = "version"
    path = ""  # from a row of the list to its prediction

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = ModelVersion.objects.order_by("-pk").values_list("pk", "name")
        return [(str(key), name) for key, name in names]

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(**{f"{self.path}version": value})


class ByLabeler(Claim):
    """Items with a decision of one person that is not undone."""

    title = "labeler"
    parameter_name = "labeler"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """People who may label, and people who have labeled."""
        once = Exists(LabelEvent.objects.filter(labeler=OuterRef("pk")))
        people = User.objects.filter(Q(groups__name__in=["labeler", "reviewer", "admin"]) | once)
        names = people.order_by("username").distinct().values_list("pk", "username")
        return [(str(key), name) for key, name in names]

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        said = LabelEvent.objects.of_labeler(int(value)).standing()
        return queryset.filter(pk__in=said.values("prediction"))


class LabelByMonth(ByMonth):
    path = "prediction__"


class LabelByVersion(ByVersion):
    path = "prediction__"


class LabelByDigit(Claim):
    title = "label"
    parameter_name = "label"
    claims = {
        "unreadable": ("unreadable", Q(is_unreadable=True)),
        **{str(digit): (str(digit), Q(digit=digit)) for digit in DIGITS},
    }


class LabelByGuess(Claim):
    title = "guess"
    parameter_name = "guess"
    claims = {
        "disagrees": (
            "disagrees with the label",
            set_and_unequal("digit", "prediction__digit") | Q(is_unreadable=True),
        ),
        "agrees": ("agrees with the label", Q(digit=F("prediction__digit"))),
    }


class LabelByState(Claim):
    title = "state"
    parameter_name = "state"
    claims = {value: (str(title), Q(state=value)) for value, title in Label.State.choices}


class LabelByAudit(Claim):
    title = "audit"
    parameter_name = "audit"
    claims = {
        "yes": ("audits", Q(prediction__is_audit=True)),
        "no": ("the rest", Q(prediction__is_audit=False)),
    }


class EventByKind(Claim):
    title = "kind"
    parameter_name = "kind"
    claims = {value: (str(title), Q(kind=value)) for value, title in LabelEvent.Kind.choices}


class EventByStream(Claim):
    title = "stream"
    parameter_name = "stream"
    claims = {stream: (stream, Q(stream=stream)) for stream in Stream.values}


class EventByLabeler(ByLabeler):
    """All events of one person, including undone ones."""

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(labeler=value)


class EventByMonth(Claim):
    title = "month said"
    parameter_name = "month"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Every month since the first drawing; no event is older."""
        first = Prediction.objects.aggregate(first=Min("day"))["first"]
        return month_choices(first, timezone.localdate())

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        first, following = map(midnight, bounds_of(value))
        return queryset.filter(created_at__gte=first, created_at__lt=following)


def midnight(day: datetime.date) -> datetime.datetime:
    return timezone.make_aware(datetime.datetime.combine(day, datetime.time.min))
