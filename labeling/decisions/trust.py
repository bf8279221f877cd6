"""Whose feedback becomes a label at once, and which labels the next fine-tune has and needs."""

from __future__ import annotations

import logging
from collections import Counter

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.core.cache import cache
from django.db.models import F, Subquery
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from labeling.decisions import decisions
from labeling.decisions.decisions import Answer
from labeling.errors import Gone
from labeling.models import Intake, Label, LabelQuerySet
from labeling.turns import in_turn, lock_items
from predictions.database.clock import Moment
from predictions.models import DIGITS, Feedback, Owner, Prediction

logger = logging.getLogger(__name__)
MOST_COUNTED = 10_000  # counting may stop here, to keep the query cheap


def is_trusted(user: User | AnonymousUser) -> bool:
    return settings.TRUST_FEEDBACK or user.has_perm("labeling.label_items")


@in_turn
def take_word(
    prediction: Prediction, digit: int | None, *, user: User | AnonymousUser, owner: Owner
) -> None:
    """Save feedback on a drawing; if the person is trusted, also as a label."""
    lock_items([prediction.pk])
    if not Prediction.objects.filter(public_id=prediction.public_id).exists():
        raise Gone("This drawing was erased meanwhile.")
    give_feedback(prediction, digit=digit, owner=owner)
    if is_trusted(user):
        decisions.label_by_feedback(prediction, Answer(digit), owner=owner)


def give_feedback(prediction: Prediction, *, digit: int | None, owner: Owner) -> None:
    """Store what somebody says the drawing is; later feedback replaces it."""
    Feedback.objects.update_or_create(
        prediction=prediction,
        defaults={
            "digit": digit,
            "user_id": owner.user_id,
            "visitor": owner.visitor,
            "changed_at": Moment(),
        },
    )
    logger.info("feedback on prediction %s", prediction.pk)


def labels_to_learn_from(*, exactly: bool = False) -> int:
    """Count the settled labels that the next run can train on and that no run has used yet.

    They name a digit and are not on audits. Unless `exactly`, at most MOST_COUNTED labels or
    LABELS_PER_RUN, the larger, are counted.
    """
    return count_after(F("last_learned"), exactly=exactly)


def labels_toward_next_run() -> int:
    """The same for people to see: labels that a run is learning count until it has ended."""
    return count_after(Coalesce("learned_before", "last_learned"), exactly=False)


def count_after(mark: Combinable, *, exactly: bool) -> int:
    learned = Intake.objects.filter(pk=1).values(mark=mark)
    labels = teaching_labels().filter(event__gt=Coalesce(Subquery(learned), 0))
    if not exactly:
        labels = labels[: max(MOST_COUNTED, settings.LABELS_PER_RUN)]
    return labels.count()


def teaching_labels() -> LabelQuerySet:
    """The labels that runs learn: settled ones that name a digit, but none of audits."""
    return Label.objects.settled().readable().filter(prediction__is_audit=False)


def most_needed() -> list[int]:
    """The digits, those with the fewest labels to learn from first; at most ten minutes old."""
    return cache.get_or_set("most-needed-digits", by_labels, 600) or []


def by_labels() -> list[int]:
    newest = teaching_labels().order_by("-pk").values_list("digit", flat=True)[:MOST_COUNTED]
    counts = Counter(newest)
    return sorted(DIGITS, key=lambda digit: counts[digit])


def are_being_learned(event_id: int) -> None:
    """Record that a run learns from the labels up to this event."""
    Intake.objects.get_or_create(pk=1)
    Intake.objects.filter(pk=1, last_learned__lt=event_id).update(
        learned_before=F("last_learned"), last_learned=event_id
    )


def have_been_learned() -> None:
    """Record that no run learns any more."""
    Intake.objects.filter(pk=1).update(learned_before=None)
