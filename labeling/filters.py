"""Filters of the admin's lists, in the domain's words. A value nobody offered is refused."""

from __future__ import annotations

import datetime
from typing import Any, ClassVar

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth.models import User
from django.db.models import F, Max, Min, Q, QuerySet
from django.http import HttpRequest

from labeling.models import Label, LabelEvent, Stream
from predictions.models import DIGITS, ModelVersion, Prediction

LOW = 0.8  # confidence below which a guess counts as unsure


class Claim(SimpleListFilter):
    """A choice among conditions; each value names one."""

    claims: ClassVar[dict[str, tuple[str, Q]]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, title) for value, (title, _) in self.claims.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        # Never ignored: an unfiltered list is not what was asked for.
        if value not in {str(offered) for offered, _ in self.lookup_choices}:
            raise IncorrectLookupParameters(f"{self.parameter_name} cannot be {value}.")
        return self.narrow(queryset, value)

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(self.claims[value][1])


def differs(one: str, other: str) -> Q:
    """Both there and unequal; NULL on either side is no difference."""
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
            differs("label__digit", "digit") | Q(label__is_unreadable=True),
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
            differs("feedback__digit", "digit")
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

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Every month from the first drawing to the last, newest first."""
        span = Prediction.objects.aggregate(first=Min("day"), last=Max("day"))
        if span["first"] is None:
            return []
        month, months = span["last"].replace(day=1), []
        while month >= span["first"].replace(day=1):
            months.append((f"{month:%Y-%m}", f"{month:%B %Y}"))
            month = (month - datetime.timedelta(days=1)).replace(day=1)
        return months

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        first = datetime.date.fromisoformat(f"{value}-01")
        following = (first + datetime.timedelta(days=32)).replace(day=1)
        return queryset.filter(day__gte=first, day__lt=following)


class ByVersion(Claim):
    title = "model version"
    parameter_name = "version"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = ModelVersion.objects.order_by("-pk").values_list("pk", "name")
        return [(str(key), name) for key, name in names]

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(version=value)


class ByLabeler(Claim):
    """What one person said something about that still stands."""

    title = "labeler"
    parameter_name = "labeler"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        people = User.objects.filter(groups__name__in=["labeler", "reviewer", "admin"])
        names = people.order_by("username").distinct().values_list("pk", "username")
        return [(str(key), name) for key, name in names]

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        said = LabelEvent.objects.of_labeler(int(value)).standing()
        return queryset.filter(pk__in=said.values("prediction"))


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
            differs("digit", "prediction__digit") | Q(is_unreadable=True),
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
