"""A few months of drawings, read well and less well, some labeled: enough for every figure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

from django.contrib.auth.models import User

from dashboard.cube.counting import catch_up
from labeling.batches.batches import restate_many
from labeling.models import LabelEvent, Stream
from labeling.queue.intake import enqueue_new
from predictions.glyphs.glyph import encode_glyph, glyph_digest
from predictions.models import ModelVersion, Prediction
from tests.factories import make_user, some_glyph, spread

FIRST = datetime(2026, 8, 3, 15, tzinfo=UTC)


def make_history(version: ModelVersion, *, drawings: int = 240, days: int = 85) -> None:
    """Digits in turn; every seventh is read wrong, every third is an audit, half are labeled."""
    labeler = make_user("demo-like-labeler", role="labeler")
    rows = [prediction(number, drawings, days, version) for number in range(drawings)]
    Prediction.objects.bulk_create(rows)
    enqueue_new()
    LabelEvent.objects.bulk_create(
        event(row, number % 10, labeler)
        for number, row in zip(count(), rows, strict=False)
        if row.is_audit or number % 2
    )
    restate_many([row.pk for row in rows])
    catch_up()


def prediction(number: int, drawings: int, days: int, version: ModelVersion) -> Prediction:
    at = FIRST + timedelta(days=days * number / drawings)
    glyph = some_glyph(number)
    digit = (number + (number % 7 == 0)) % 10
    confidence = 0.55 + (number * 37 % 45) / 100
    return Prediction(
        version=version,
        digit=digit,
        confidence=confidence,
        probabilities=spread(digit, confidence),
        strangeness=0.0,
        glyph=encode_glyph(glyph),
        glyph_digest=UUID(glyph_digest(glyph)[:32]),
        source=Prediction.Source.DRAW,
        visitor=UUID(int=number % 9 + 1),
        is_audit=number % 3 == 0,
        audit_probability=0.3,
        created_at=at,
        day=at.date(),
    )


def event(row: Prediction, digit: int, labeler: User) -> LabelEvent:
    return LabelEvent(
        prediction=row,
        kind=LabelEvent.Kind.LABEL,
        digit=digit,
        labeler=labeler,
        created_at=row.created_at + timedelta(hours=3),
        stream=Stream.AUDIT if row.is_audit else Stream.UNSURE,
        version=row.version,
        seconds=1.5,
    )
