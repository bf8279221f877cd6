"""Months of drawings with labels, made through the factories' rows; the truth is an argument."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from time import monotonic, sleep

import numpy as np
from django.contrib.auth.models import User
from django.db.models import Max
from django.utils import timezone

from dashboard.cube import counting, log
from labeling.models import Label, LabelEvent, Stream
from predictions.glyphs.glyph import encode_glyph, glyph_digest
from predictions.models import Drawing, ModelVersion, Prediction
from tests.factories import make_version, png, spread
from training.models import Promotion


@dataclass(frozen=True)
class Month:
    """What one month was like."""

    first: date
    audited: int  # drawings chosen at random, all labeled
    accuracy: float  # of the network on them
    queued: int = 0  # drawings labeled because the network was unsure
    unlabeled: int = 0
    version: str = "base-1"


BETTER_AND_BETTER = (
    Month(date(2026, 9, 1), 420, 0.93, 60, 40),
    Month(date(2026, 10, 1), 460, 0.955, 60, 40, "tuned-1"),
    Month(date(2026, 11, 1), 500, 0.985, 60, 40, "tuned-2"),
)


def make_history(
    months: Sequence[Month] = BETTER_AND_BETTER, *, labeler: User | None = None, seed: int = 1
) -> list[Prediction]:
    """Drawings, what was read, and what labelers said; each month's version goes live in it."""
    chance = np.random.default_rng(seed)
    labeler = labeler or User.objects.create_user("lia")
    made: list[Prediction] = []
    live: ModelVersion | None = None
    for month in months:
        version = ModelVersion.objects.filter(name=month.version).first()
        version = version or make_version(month.version)
        if live is not None and version != live:
            at = noon(month.first + timedelta(days=9))
            Promotion.objects.create(
                kind=Promotion.Kind.PROMOTION, before=live, after=version, made_at=at
            )
        live = version
        made += make_month(month, version, labeler, chance)
    if live is not None:
        ModelVersion.objects.live().update(state=ModelVersion.State.RETIRED)
        ModelVersion.objects.filter(pk=live.pk).update(
            state=ModelVersion.State.LIVE, live_since=timezone.now()
        )
    return made


def make_month(
    month: Month, version: ModelVersion, labeler: User, chance: np.random.Generator
) -> list[Prediction]:
    rows = []
    for at in range(month.audited + month.queued + month.unlabeled):
        truth = int(chance.integers(10))
        is_right = chance.random() < (month.accuracy if at < month.audited else 0.6)
        read = truth if is_right else int((truth + chance.integers(1, 10)) % 10)
        confidence = 1 - 0.25 * chance.random() ** 5 if is_right else 0.45 + 0.5 * chance.random()
        row = a_prediction(month, version, read, float(confidence), chance)
        row.is_audit = at < month.audited
        rows.append((row, truth if at < month.audited + month.queued else None))
    predictions = Prediction.objects.bulk_create([row for row, _ in rows])
    Drawing.objects.bulk_create([Drawing(prediction=row, png=png()) for row in predictions[:40]])
    make_labels([(row, truth) for row, truth in rows if truth is not None], labeler)
    return predictions


def a_prediction(
    month: Month, version: ModelVersion, read: int, confidence: float, chance: np.random.Generator
) -> Prediction:
    created_at = noon(month.first + timedelta(days=int(chance.integers(28))))
    glyph = chance.integers(0, 256, (28, 28), dtype=np.uint8)
    return Prediction(
        version=version,
        digit=read,
        confidence=confidence,
        probabilities=spread(read, confidence),
        strangeness=0.0,
        glyph=encode_glyph(glyph),
        glyph_digest=uuid.UUID(glyph_digest(glyph)[:32]),
        source=Prediction.Source.DRAW,
        audit_probability=0.5,
        visitor=uuid.uuid4(),
        created_at=created_at,
        day=timezone.localdate(created_at),
    )


def make_labels(rows: Sequence[tuple[Prediction, int]], labeler: User) -> None:
    """An opinion each, and the label it makes."""
    last = LabelEvent.objects.aggregate(last=Max("pk"))["last"] or 0
    LabelEvent.objects.bulk_create(
        LabelEvent(
            prediction=row,
            kind=LabelEvent.Kind.LABEL,
            digit=truth,
            labeler=labeler,
            created_at=row.created_at + timedelta(hours=3),
            stream=Stream.AUDIT if row.is_audit else Stream.UNSURE,
            version=row.version,
            request_id=uuid.uuid4(),
        )
        for row, truth in rows
    )
    events = LabelEvent.objects.filter(pk__gt=last).in_bulk(field_name="pk").values()
    event_of = {event.prediction_id: event for event in events}
    Label.objects.bulk_create(
        Label(
            prediction=row,
            digit=truth,
            state=Label.State.SETTLED,
            opinions=1,
            event=event_of[row.pk],
        )
        for row, truth in rows
    )


def noon(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time(12)))


def count_everything() -> None:
    """Also where another process or page is counting at this moment."""
    deadline = monotonic() + 180
    while not counting.catch_up(patience=0).covers(log.bounds(counting.marks(), patience=0)):
        assert monotonic() < deadline, "the history is not counted"
        sleep(0.05)
