"""Priorities: items that a higher app wants labeled sooner. A labeler is not told which."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from labeling.models import LabelEvent, QueueItem, Skip, Wanted

AT_MOST = 2_000


@transaction.atomic
def want(keys: Sequence[int]) -> int:
    """Replace all priorities by these predictions, in this order; return how many are open."""
    asked = keys[:AT_MOST]
    rows = QueueItem.objects.filter(pk__in=asked, is_open=True)
    open_keys = set(rows.values_list("pk", flat=True))
    wanted = [key for key in asked if key in open_keys]
    if wanted == list(Wanted.objects.order_by("rank").values_list("pk", flat=True)):
        return len(wanted)
    Wanted.objects.all().delete()
    wishes = [Wanted(prediction_id=key, rank=rank) for rank, key in enumerate(wanted)]
    wishes.sort(key=lambda wish: wish.prediction_id)  # by key, since no item is locked: see `turns`
    Wanted.objects.bulk_create(wishes, batch_size=500, ignore_conflicts=True)
    return len(wanted)


def open_to(labeler: User) -> QuerySet[QueueItem]:
    """The items with priority that this labeler holds, or may get."""
    said = LabelEvent.objects.of_labeler(labeler.pk).standing().filter(kind=LabelEvent.Kind.LABEL)
    skipped = Skip.objects.filter(labeler=labeler, prediction=OuterRef("pk"))
    is_free = Q(holder=None) | Q(holder=labeler) | Q(leased_until__lte=Now())
    return QueueItem.objects.filter(
        is_free,
        ~Exists(said.filter(prediction=OuterRef("pk"))),
        ~Exists(skipped),
        pk__in=Wanted.objects.values("pk"),  # a join would scan all open items on SQLite
        is_open=True,
    )
