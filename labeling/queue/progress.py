"""A labeler's progress, speed, and accuracy on gold items."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, F, Q
from django.db.models.functions import TruncDate
from django.utils import timezone

from labeling.models import LabelEvent, QueueItem
from labeling.queue import priorities
from labeling.queue.gold import KNOWN_DIGIT
from predictions.database import clock

HOUR = timedelta(hours=1)
LONGEST_STREAK = 366  # days looked back
MOST_LEFT = 10_000  # counting stops here, to keep the query cheap


def of(labeler: User) -> dict[str, Any]:
    own = LabelEvent.objects.of_labeler(labeler.pk).standing().one_by_one()
    known = Q(is_gold=True, known_digit__isnull=False)
    now = clock.now()
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    counts = own.annotate(known_digit=KNOWN_DIGIT).aggregate(
        total=Count("pk"),
        today=Count("pk", filter=Q(created_at__gte=midnight)),
        last_hour=Count("pk", filter=Q(created_at__gte=now - HOUR)),
        gold_answered=Count("pk", filter=known),
        gold_right=Count("pk", filter=known & Q(digit=F("known_digit"))),
    )
    return {
        "today": counts["today"],
        "total": counts["total"],
        "per_hour": per_hour(own.filter(created_at__gte=now - HOUR), counts["last_hour"], now=now),
        "streak": streak(
            own.filter(created_at__gte=midnight - timedelta(days=LONGEST_STREAK)),
            today=midnight.date(),
        ),
        "gold_answered": counts["gold_answered"],
        "gold_right": counts["gold_right"],
        "left": QueueItem.objects.filter(is_open=True)[:MOST_LEFT].count(),
        "priority_left": priorities.open_to(labeler).exists(),
    }


def per_hour(recent: Any, count: int, *, now: datetime) -> float:
    """Labels per hour since the first label of the last hour, taken as a minute ago or more."""
    first = recent.order_by("created_at").values_list("created_at", flat=True).first()
    if first is None:
        return 0.0
    worked = max(now - first, timedelta(minutes=1))
    return float(count) * (HOUR / worked)


def streak(own: Any, *, today: date) -> int:
    """Count days in a row with a label, up to today or, if today has none yet, up to yesterday."""
    days = set(own.annotate(day=TruncDate("created_at")).values_list("day", flat=True).distinct())
    day = today if today in days else today - timedelta(days=1)
    length = 0
    while day in days:
        length += 1
        day -= timedelta(days=1)
    return length
