"""Whose feedback is a label at once, and how many labels wait for the next fine-tune."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User

from labeling import decisions
from labeling.decisions import Verdict
from labeling.models import Label, LabelEvent
from predictions.models import Prediction
from predictions.visitors import Owner

MOST_COUNTED = 10_000  # nobody waits for more, and the count stays cheap


def is_trusted(user: User | AnonymousUser) -> bool:
    return settings.TRUST_FEEDBACK or user.has_perm("labeling.label_items")


def label_if_trusted(
    prediction: Prediction, digit: int | None, *, user: User | AnonymousUser, owner: Owner
) -> LabelEvent | None:
    """A trusted person's feedback as a label; None where it stays feedback alone."""
    if not is_trusted(user):
        return None
    return decisions.label_by_feedback(prediction, Verdict(digit), owner=owner)


def labels_to_learn_from(*, after_event: int = 0) -> int:
    """Settled labels a run may learn from: a digit was read, and the drawing is no audit's.

    Counted up to MOST_COUNTED; `after_event` leaves out what an earlier run has seen.
    """
    labels = Label.objects.settled().readable().filter(prediction__is_audit=False)
    return labels.filter(event__gt=after_event)[:MOST_COUNTED].count()
