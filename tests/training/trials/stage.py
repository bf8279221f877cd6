"""A live version, a candidate, drawings that tell them apart, and people's answers."""

from __future__ import annotations

import gzip
import struct
import uuid
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.decisions import decisions
from labeling.decisions.decisions import Answer
from predictions.models import ModelVersion, Owner, Prediction
from tests.factories import make_live, make_prediction, make_version, some_glyph
from training.models import Run, Snapshot, Trial
from training.runs.recipe import Tuning
from training.snapshots.snapshots import Choice, default_rule, freeze
from training.trials.trial import begin

seeds = count(1)


def make_pair(*, favorite: int = 7, marked: int = 3) -> tuple[ModelVersion, ModelVersion]:
    """A live version that reads 7, and a candidate that reads marked drawings as 3."""
    return make_live("live", favorite=favorite), make_candidate("new", marked=marked)


def make_candidate(name: str, *, marked: int = 3, parent: ModelVersion | None = None) -> Any:
    """As a run leaves it: its snapshot was frozen now."""
    live = parent or ModelVersion.objects.live().get()
    version = make_version(name, marked=marked)
    ModelVersion.objects.filter(pk=version.pk).update(parent=live)
    version.refresh_from_db()
    Run.objects.create(
        state=Run.State.DONE, trigger="page", snapshot=frozen(), parent=live, version=version,
        recipe=asdict(Tuning()),
    )  # fmt: skip
    return version


def frozen() -> Snapshot:
    return freeze(Choice([]), default_rule())


def make_trial(**fields: Any) -> Trial:
    _, new = make_pair(**fields)
    return begin(new)


def draw(number: int = 1, *, differ: bool = True, **fields: Any) -> list[Prediction]:
    """Drawings that the live version reads as 7, each by a visitor of their own unless told.

    The candidate reads them as 3 if they `differ`.
    """
    made = []
    for _ in range(number):
        glyph = some_glyph(next(seeds))
        glyph[0, 0] = 255 if differ else 0
        given = {"visitor": uuid.uuid4(), "digit": 7, "glyph": glyph, **fields}
        made.append(make_prediction(**given))
    return made


def answer(predictions: list[Prediction], digit: int | None) -> None:
    """A trusted person says what these are; audits are answered by `label`."""
    for prediction in predictions:
        decisions.label_by_feedback(
            prediction, Answer(digit), owner=Owner(visitor=prediction.visitor)
        )


def write_mnist(
    folder: Path,
    labels: list[int],
    *,
    marked: int = 0,
    images: NDArray[np.uint8] | None = None,
) -> None:
    """In the format MNIST's makers gave it, one file gzipped; the first `marked` are marked."""
    if images is None:
        images = np.stack([some_glyph(number) for number in range(len(labels))])
        images[:, 0, 0] = 0
        images[:marked, 0, 0] = 255
    head = struct.pack(">HBBIII", 0, 8, 3, *images.shape)
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + images.tobytes()))
    head = struct.pack(">HBBI", 0, 8, 1, len(labels))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(head + bytes(labels))
