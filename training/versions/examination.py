"""Evaluate a model version on MNIST, on stored strokes and on people's drawings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labeling.models import Label
from predictions.glyphs.glyph import decode_glyph
from predictions.models import ModelVersion
from predictions.serving.network import Network
from predictions.serving.recognizer import load_version
from training.engine.evaluate import ReadingReport, reading_report
from training.engine.mnist import decoded_test_set

AT_ONCE = 256  # glyphs in one forward pass
STROKE_SEEDS = range(3)  # seeds of size, place and pen width


@dataclass(frozen=True, slots=True)
class Judgment:
    """A report and the name of the digits it was made on."""

    title: str
    report: ReadingReport


def judgments(
    version: ModelVersion, *, mnist_folder: Path, strokes: Path | None
) -> Iterator[Judgment]:
    """Yield a report for each set of digits that is there."""
    reads = load_version(version.pk).network
    found = decoded_test_set(mnist_folder)
    if found is not None:
        yield judged("MNIST test set", reads, *found)
    if strokes is not None:
        from training.engine.stylus import read_strokes, rendered

        drawings = read_strokes(strokes)
        for seed in STROKE_SEEDS:
            yield judged(f"{strokes.name}, rendering {seed}", reads, *rendered(drawings, seed))
    for audited, title in ((True, "audits, drawn at random"), (False, "picked for other reasons")):
        glyphs, digits = labeled(audited=audited)
        if len(digits):
            yield judged(f"labeled predictions: {title}", reads, glyphs, digits)


def labeled(*, audited: bool) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Glyphs and current labels. Only audits are a fair sample: the queue prefers hard drawings.

    Labels that wait for a second opinion are included: these contradict the model, and without
    them the sample would be biased.
    """
    rows = (
        Label.objects.readable()
        .pictured()
        .filter(prediction__is_audit=audited)
        .order_by("pk")
        .values_list("prediction__glyph", "digit")
    )
    pairs = [(decode_glyph(bytes(png)), digit) for png, digit in rows.iterator(2_000)]
    glyphs = np.stack([glyph for glyph, _ in pairs]) if pairs else np.zeros((0, 28, 28), np.uint8)
    return glyphs, np.array([digit for _, digit in pairs], dtype=np.int64)


def judged(
    title: str,
    reads: Network,
    glyphs: NDArray[np.uint8],
    digits: NDArray[np.int64],
) -> Judgment:
    parts = [
        reading.probabilities
        for start in range(0, len(glyphs), AT_ONCE)
        for reading in reads.read(glyphs[start : start + AT_ONCE])
    ]
    return Judgment(title, reading_report(np.stack(parts), digits))
