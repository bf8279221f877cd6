"""Blind labeling: who does not see the guess, and which items need a labeler's answer first.

A refusal does not tell audits from other drawings: it says the same of everything that waits for a
label.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from labeling.models import QueueItem
from labeling.turns import selected
from predictions.models import Owner, Prediction

KEPT = "People label this drawing: what was read in it is not shown to them."
UNANSWERED = """
SELECT p.id FROM predictions_prediction AS p WHERE p.is_audit AND p.id {among}
AND NOT EXISTS (SELECT 1 FROM labeling_label AS l WHERE l.prediction_id = p.id)"""


def unanswered_audits(keys: Collection[int]) -> set[int]:
    """Return the audits without a label: only a labeler may answer them first, from the queue."""
    return set(selected(UNANSWERED, keys))


def labels_blind(user: User | AnonymousUser) -> bool:
    """Whether a user labels but does not review; reviewers need to see guesses."""
    return user.has_perm("labeling.label_items") and not user.has_perm("labeling.review_items")


def is_kept_from(user: User | AnonymousUser, owner: Owner, public_id: UUID) -> bool:
    """Whether to hide what was read in this drawing; never from its author, who was told.

    It is hidden from everybody while somebody holds the drawing, since a labeler may sign out or
    be a reviewer too. Labelers do not see it while it waits for a label, nor ever on an audit.
    """
    hidden = Q(queue_item__is_open=True, queue_item__leased_until__gt=Now())
    if labels_blind(user):
        hidden |= Q(queue_item__is_open=True) | Q(is_audit=True) | Q(gold__isnull=False)
    found = Prediction.objects.filter(hidden, public_id=public_id)
    return found.exists() and not found.owned_by(owner).exists()


def held_by(user: User | AnonymousUser) -> QuerySet[QueueItem, int]:
    """The keys of what this user holds: the admin does not show it to them meanwhile."""
    held = QueueItem.objects.filter(holder=user.pk, is_open=True, leased_until__gt=Now())
    return held.values_list("pk", flat=True)
