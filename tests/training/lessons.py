"""Labels to learn from, and a run that takes seconds."""

from __future__ import annotations

import uuid
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from labeling.decisions import decisions
from labeling.decisions.decisions import Answer
from predictions.models import Owner, Prediction
from tests.factories import make_prediction
from training.runs.recipe import Tuning

if TYPE_CHECKING:
    from training.engine.data import Digits

NOWHERE = Path("/nonexistent/mnist")


def labeled(
    digit: int | None = 7, *, by: Owner | None = None, read: int = 7, **fields: Any
) -> Prediction:
    """A prediction whose label is settled, each by an author of its own unless told."""
    fields.setdefault("visitor", uuid.uuid4())
    is_audit = fields.pop("is_audit", False)
    prediction = make_prediction(digit=read, **fields)
    owner = by or Owner(visitor=uuid.uuid4())
    decisions.label_by_feedback(prediction, Answer(digit), owner=owner)
    Prediction.objects.filter(pk=prediction.pk).update(is_audit=is_audit)
    return prediction


def make_tiny(monkeypatch: pytest.MonkeyPatch, settings: Any, *, epochs: int = 2) -> Tuning:
    """A lesson of seconds: few digits an epoch, written ones in MNIST's place."""
    from training.runs import fine_tune

    settings.TRAINING_THREADS = 1
    tuning = replace(
        Tuning(), epochs=epochs, digits_an_epoch=256, validation=64, batch_size=64,
        doubted_repeats=0,
    )  # fmt: skip
    monkeypatch.setattr(
        "training.runs.retrain.tuning_for", lambda labels, seed: replace(tuning, seed=seed)
    )
    monkeypatch.setattr(
        "training.runs.retrain.HEARTBEAT", 3600.0
    )  # no thread beside the test's database
    monkeypatch.setattr(fine_tune, "replayed_digits", digits_in_mnists_place)
    settings.MNIST_DIR = NOWHERE  # a developer's 10,000 images would be read by both versions
    return tuning


@cache
def digits_in_mnists_place() -> Digits:
    """Drawn once a process: courses choose among them, and change none."""
    from training.engine.strokes import written_digits

    return written_digits(400, seed=5)
