"""What an owner has made so far, and how well it was read."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from django.db.models import Count, F, Max, Q
from django.utils import timezone

from predictions.capture.capture import NOT_MADE_HERE
from predictions.models import Owner, Prediction


@dataclass(frozen=True, slots=True)
class OwnerCounts:
    """Counts of one owner's predictions; right and answered come from their own feedback."""

    made: int
    answered: int
    right: int
    best_today: float | None  # the owner's highest confidence since midnight
    best_of_all_today: float | None  # of any drawing made here

    @property
    def accuracy(self) -> float | None:
        return self.right / self.answered if self.answered else None


def tally(owner: Owner, *, today: datetime.date | None = None) -> OwnerCounts:
    """Count one owner's drawings; a day starts at midnight in the configured time zone."""
    today = today or timezone.localdate()
    own = Prediction.objects.owned_by(owner).aggregate(
        made=Count("pk"),
        answered=Count("feedback"),
        right=Count("pk", filter=Q(feedback__digit=F("digit"))),
        best_today=Max("confidence", filter=Q(day=today)),
    )
    return OwnerCounts(**own, best_of_all_today=best_of(today))


def best_of(day: datetime.date) -> float | None:
    """The highest confidence of the drawings made here on that day."""
    return (
        Prediction.objects.on_day(day)
        .exclude(source__in=NOT_MADE_HERE)
        .order_by("-confidence")
        .values_list("confidence", flat=True)
        .first()
    )
