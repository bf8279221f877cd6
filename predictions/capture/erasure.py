"""Erase a drawing's picture and owner; keep the reading, so that counts do not change.

This is the only change to a stored prediction. Its drawing, its glyph and its owner are deleted.
The digest of the glyph and the public id are replaced by random ones, so that old links find
nothing. Digit, confidence, time and model version stay, because counts by version and by month
need them.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.db import transaction
from django.db.models import QuerySet

from predictions.database.clock import Moment
from predictions.models import Drawing, Feedback, Owner, Prediction

AT_ONCE = 200  # rows a statement


@transaction.atomic
def erase_pictures(keys: Sequence[int]) -> int:
    """Erase these predictions' pictures and owners; return how many were not yet erased."""
    rows = list(
        Prediction.objects.pictured()
        .filter(pk__in=keys)
        .only("pk")
        .select_for_update()
        .order_by("pk")
    )
    for row in rows:
        row.public_id, row.glyph_digest = uuid.uuid4(), uuid.uuid4()
        row.glyph, row.user, row.visitor, row.erased_at = b"", None, None, Moment()
    Prediction.objects.bulk_update(
        rows,
        ["public_id", "glyph_digest", "glyph", "user", "visitor", "erased_at"],
        batch_size=AT_ONCE,
    )
    erased = [row.pk for row in rows]
    Drawing.objects.filter(pk__in=erased).delete()
    update_feedback(Feedback.objects.filter(pk__in=erased), user=None, visitor=None)
    return len(rows)


@transaction.atomic
def forget_speaker(owner: Owner) -> int:
    """Remove an owner from their feedback on other people's drawings; the feedback stays."""
    said = Feedback.objects.all()
    if owner.user_id is not None:
        return update_feedback(said.filter(user=owner.user_id), user=None)
    return update_feedback(said.filter(visitor=owner.visitor), visitor=None)


def update_feedback(said: QuerySet[Feedback], **fields: None) -> int:
    """Update feedback; lock it in key order, so that two erasures at once cannot deadlock."""
    locked = list(said.select_for_update().order_by("pk").values_list("pk", flat=True))
    return Feedback.objects.filter(pk__in=locked).update(**fields)
