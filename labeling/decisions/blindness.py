"""Blind labeling: who does not see the guess, and which items need a labeler's answer first.

It hides the model's guess from labelers who are signed in. Somebody who knows a drawing's id and
signs out is treated as a visitor.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User

from labeling.turns import selected
from predictions.models import Prediction

KEPT = "This drawing is audited: what was read in it is not shown to those who label."
UNANSWERED = """
SELECT p.id FROM predictions_prediction AS p WHERE p.is_audit AND p.id {among}
AND NOT EXISTS (SELECT 1 FROM labeling_label AS l WHERE l.prediction_id = p.id)"""


def unanswered_audits(keys: Collection[int]) -> set[int]:
    """Return the audits without a label: only a labeler may answer them first, from the queue."""
    return set(selected(UNANSWERED, keys))


def labels_blind(user: User | AnonymousUser) -> bool:
    """Whether a user labels but does not review; reviewers need to see guesses."""
    return user.has_perm("labeling.label_items") and not user.has_perm("labeling.review_items")


def is_kept_from(user: User | AnonymousUser, public_id: UUID) -> bool:
    """Whether to hide this audit from a labeler; not from its author, who saw the guess."""
    audits = Prediction.objects.filter(public_id=public_id, is_audit=True)
    return labels_blind(user) and audits.exclude(user=user.pk).exists()
