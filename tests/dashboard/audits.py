"""Audited drawings with labels, months apart, and versions that learned from some of them."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime
from typing import Any

from labeling.decisions import decisions
from labeling.decisions.decisions import Answer
from labeling.models import LabelEvent
from predictions.models import ModelVersion, Owner, Prediction
from tests.factories import make_prediction
from training.models import Run, Snapshot, SnapshotLabel

SEPTEMBER = datetime(2026, 9, 5, 12, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 5, 12, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 5, 12, tzinfo=UTC)
numbers = itertools.count(1)


def audited(
    digit: int | None = 7, *, at: datetime = NOVEMBER, read: int = 7, **fields: Any
) -> Prediction:
    """An audited drawing that was labeled so; None is unreadable."""
    drawn = {"visitor": uuid.uuid4(), **fields}
    prediction = make_prediction(digit=read, created_at=at, **drawn)
    label(prediction, digit)
    Prediction.objects.filter(pk=prediction.pk).update(is_audit=True)
    return prediction


def label(prediction: Prediction, digit: int | None) -> None:
    """What a trusted visitor says, as an event and a label."""
    decisions.label_by_feedback(prediction, Answer(digit), owner=Owner(visitor=uuid.uuid4()))


def learn(version: ModelVersion, *predictions: Prediction) -> None:
    """The version comes from a run whose snapshot holds the labels of these."""
    snapshot = Snapshot.objects.create(
        digest=f"{next(numbers)}", rule={}, count=len(predictions), counts={}
    )
    for prediction in predictions:
        event = LabelEvent.objects.filter(prediction=prediction).latest("pk")
        SnapshotLabel.objects.create(snapshot=snapshot, event=event, digit=event.digit)
    Run.objects.create(
        state=Run.State.DONE, trigger="page", snapshot=snapshot, parent=version, version=version,
        recipe={},
    )  # fmt: skip
