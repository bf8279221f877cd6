"""Taking away what a drawing shows and whose it was; what was read of it stays, to be counted.

A prediction is written once and never changed, with this one exception. Its drawing and its glyph
go, its owner, the digest its glyph could be recognized by, and its public id: every address anybody
holds is then one of nothing. Digit, confidence, time and model version stay: versions were live
for so many predictions, and months had so many, whoever goes.
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
    """Erase these predictions' pictures and owners; how many had them still."""
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
    change(Feedback.objects.filter(pk__in=erased), user=None, visitor=None)
    return len(rows)


@transaction.atomic
def forget_speaker(owner: Owner) -> int:
    """What somebody said about other people's drawings stays said, by nobody."""
    said = Feedback.objects.all()
    if owner.user_id is not None:
        return change(said.filter(user=owner.user_id), user=None)
    return change(said.filter(visitor=owner.visitor), visitor=None)


def change(said: QuerySet[Feedback], **fields: None) -> int:
    """By ascending key: two who erase at the same moment wait for each other one way alone."""
    locked = list(said.select_for_update().order_by("pk").values_list("pk", flat=True))
    return Feedback.objects.filter(pk__in=locked).update(**fields)
