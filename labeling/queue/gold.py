"""Gold items, whose answer is known. Labelers cannot tell them from others, even by the token."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db.models import Case, F, When
from django.db.models.functions import Coalesce

from labeling.errors import LeaseLost
from labeling.models import Gold, Label
from labeling.standing import Past, reversed_by
from predictions.database import clock
from predictions.database.clock import Moment

HOUR = 3600  # seconds; a token is valid in the hour it was made in and the next
# Of a label event on an item that is or was gold. Afterwards its settled label is the known answer.
KNOWN_DIGIT = Coalesce(
    F("prediction__gold__digit"),
    Case(When(prediction__label__state=Label.State.SETTLED, then=F("prediction__label__digit"))),
)


def token_for(labeler_id: int, prediction_id: int, *, hour: int) -> uuid.UUID:
    """Compute a token that looks like a lease's; not stored: gold needs no exclusive lease."""
    text = f"gold {labeler_id} {prediction_id} {hour}"
    digest = hmac.digest(settings.SECRET_KEY.encode(), text.encode(), "sha256")
    return uuid.UUID(bytes=digest[:16], version=4)


def hour_of(at: datetime) -> int:
    """`at` is the database's time, so that a token is valid on every host."""
    return int(at.timestamp() // HOUR)


def new_gold_token(labeler_id: int, prediction_id: int) -> uuid.UUID:
    return token_for(labeler_id, prediction_id, hour=hour_of(clock.now()))


def is_token(labeler_id: int, prediction_id: int, token: uuid.UUID, *, at: datetime) -> bool:
    return any(
        hmac.compare_digest(token.bytes, token_for(labeler_id, prediction_id, hour=each).bytes)
        for each in (hour_of(at), hour_of(at) - 1)
    )


def tokens_among(labeler_id: int, tokens: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Return this labeler's gold tokens among these. It tries all gold items; there are few."""
    made = {
        token_for(labeler_id, prediction_id, hour=each)
        for prediction_id, at in Gold.objects.annotate(at=Moment()).values_list("pk", "at")
        for each in (hour_of(at), hour_of(at) - 1)
    }
    return made & set(tokens)


def check_unanswered(events: list[Past], labeler_id: int) -> None:
    """Refuse a second answer to a gold item, unless the first was undone."""
    taken_back = reversed_by(events)
    if any(
        event.is_gold and event.labeler_id == labeler_id and event.pk not in taken_back
        for event in events
    ):
        raise LeaseLost("This item was answered before.")
