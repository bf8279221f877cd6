"""Labels to learn from, and a run that takes seconds."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from labeling import decisions
from labeling.decisions import Verdict
from predictions.models import Prediction
from predictions.sides import Side, side_of
from predictions.visitors import Owner
from tests.factories import make_prediction
from training.tuning import Tuning


def visitor_who(does: Callable[[Prediction], bool]) -> uuid.UUID:
    """Somebody of whose drawings this holds."""
    while True:
        visitor = uuid.uuid4()
        if does(Prediction(visitor=visitor)):
            return visitor


def visitor_on(side: Side) -> uuid.UUID:
    """Somebody whose drawings stand on this side."""
    return visitor_who(lambda prediction: side_of(prediction) == side)


def labeled(
    digit: int | None = 7,
    *,
    side: Side = Side.TRAIN,
    by: Owner | None = None,
    read: int = 7,
    **fields: Any,
) -> Prediction:
    """A prediction whose label is settled, each by a drawer of its own unless told."""
    fields.setdefault("visitor", visitor_on(side))
    is_audit = fields.pop("is_audit", False)
    prediction = make_prediction(digit=read, **fields)
    owner = by or Owner(visitor=uuid.uuid4())
    decisions.label_by_feedback(prediction, Verdict(digit), owner=owner)
    Prediction.objects.filter(pk=prediction.pk).update(is_audit=is_audit)
    return prediction


def make_tiny(monkeypatch: pytest.MonkeyPatch, settings: Any, *, epochs: int = 2) -> Tuning:
    """A lesson of seconds: few digits an epoch, written ones in MNIST's place."""
    from training import lesson
    from training.engine.strokes import written_digits

    settings.TRAINING_THREADS = 1
    tuning = replace(
        Tuning(), epochs=epochs, digits_an_epoch=256, validation=64, batch_size=64, least_holdout=1
    )
    monkeypatch.setattr(
        "training.retrain.tuning_for", lambda labels, seed: replace(tuning, seed=seed)
    )
    monkeypatch.setattr(
        "training.retrain.HEARTBEAT", 3600.0
    )  # no thread beside the test's database
    monkeypatch.setattr(lesson, "replayed_digits", lambda: written_digits(400, seed=5))
    return tuning
