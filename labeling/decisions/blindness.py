"""What must not steer an answer: who is shown no guess, and what is decided first by a labeler.

It keeps what the model said from people at work, signed in. Whoever holds a drawing's id and signs
out is a visitor like any other.
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
    """Those of these whose first answer is a labeler's, from the queue, and nobody else's."""
    return set(selected(UNANSWERED, keys))


def labels_blind(user: User | AnonymousUser) -> bool:
    """Whether somebody is handed items and has no work beside it that needs the guess."""
    return user.has_perm("labeling.label_items") and not user.has_perm("labeling.review_items")


def is_kept_from(user: User | AnonymousUser, public_id: UUID) -> bool:
    """Whether this is an audit that somebody may be asked about; who drew it was told long ago."""
    audits = Prediction.objects.filter(public_id=public_id, is_audit=True)
    return labels_blind(user) and audits.exclude(user=user.pk).exists()
