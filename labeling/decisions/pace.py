"""How much each person labels, and how fast, for reviewers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from django.contrib.auth.models import User
from django.db.models import Count, Exists, OuterRef, Q

from labeling.models import LabelEvent
from predictions.database import clock

TIMED = 200  # newest answers whose times are looked at
WEEK, FOUR_WEEKS = timedelta(days=7), timedelta(days=28)


@dataclass(frozen=True, slots=True)
class Pace:
    labeler: str
    last_week: int
    last_four_weeks: int
    seconds: float | None  # median of the newest TIMED answers


def paces() -> list[Pace]:
    """Everybody who has labeled, by name; undone answers took time too and are counted."""
    once = Exists(LabelEvent.objects.filter(labeler=OuterRef("pk"), kind=LabelEvent.Kind.LABEL))
    return [pace_of(user) for user in User.objects.filter(once).order_by("username")]


def pace_of(labeler: User) -> Pace:
    own = LabelEvent.objects.of_labeler(labeler.pk).filter(kind=LabelEvent.Kind.LABEL)
    now = clock.now()
    counts = own.filter(created_at__gte=now - FOUR_WEEKS).aggregate(
        week=Count("pk", filter=Q(created_at__gte=now - WEEK)), weeks=Count("pk")
    )
    timed = own.filter(seconds__isnull=False).order_by("-pk")
    times = timed.values_list("seconds", flat=True)[:TIMED]
    seconds = [time for time in times if time is not None]
    return Pace(
        labeler.get_username(),
        counts["week"],
        counts["weeks"],
        median(seconds) if seconds else None,
    )
