"""Turn uploaded bytes into a stored prediction; pages, the API and commands call this."""

from __future__ import annotations

import contextlib
import functools
import os
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import numpy as np
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from numpy.typing import NDArray
from PIL import Image

from predictions import metrics
from predictions.access.limits import slots
from predictions.capture import audits
from predictions.database.clock import Moment, Today
from predictions.database.insert import insert
from predictions.errors import Declined, ImageRefused, NoInk
from predictions.glyphs.box import Box, box_within, cropped
from predictions.glyphs.glyph import (
    encode_glyph,
    glyph_and_box,
    glyph_digest,
    glyph_of,
    ready_glyph,
)
from predictions.glyphs.grayscale import upright_gray
from predictions.glyphs.images import (
    BIG_PIXELS,
    PNG_SIGNATURE,
    open_image,
    pixels_of,
    thumbnail_png,
)
from predictions.models import Drawing, ModelVersion, Owner, Prediction
from predictions.serving.network import Reading
from predictions.serving.recognizer import recognizer

MOST_SKETCHERS = 4
NOT_MADE_HERE = {Prediction.Source.IMPORT, Prediction.Source.DEMO}
Picture = bytes | NDArray[np.uint8]  # an image file, or gray pixels (height, width)
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Sketch:
    """A decoded drawing: the glyph the network sees and the small picture people see."""

    glyph: NDArray[np.uint8]  # (28, 28)
    drawing_png: bytes

    @property
    def digest(self) -> uuid.UUID:
        """The same for two equal glyphs."""
        return uuid.UUID(glyph_digest(self.glyph)[:32])


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be stored if the visitor submitted the drawing."""

    glyph_png: bytes
    reading: Reading
    model: str
    box: Box  # where the ink was found


def sketch(data: bytes, box: Box | None = None) -> Sketch:
    """Return the sketch of a picture, or of what is in the box."""
    gray = upright_gray(open_image(data))  # once, for both the glyph and the thumbnail
    if box:
        gray = cropped(gray, box)
    return Sketch(glyph_of(gray), thumbnail_png(gray))


def preview(data: bytes, box: Box | None = None) -> Preview:
    """Read a drawing and store nothing."""
    with slot_for(data):
        image = open_image(data)
        glyph, found = glyph_and_box(cropped(upright_gray(image), box) if box else image)
    answer = recognizer.read(glyph[np.newaxis])
    return Preview(
        encode_glyph(glyph), answer.readings[0], answer.version.name, box_within(box, found)
    )


def capture(data: bytes, *, owner: Owner, source: str, box: Box | None = None) -> Prediction:
    """Read a drawing; store the drawing and the prediction in one transaction."""
    with slot_for(data):
        made = sketch(data, box)
    answer = recognizer.read(made.glyph[np.newaxis])
    prediction = prediction_of(made, answer.readings[0], answer.version, owner=owner, source=source)
    store([prediction], [made])
    return prediction


def capture_batch(
    files: Sequence[bytes], *, owner: Owner, source: str
) -> list[Prediction | Declined]:
    """Read many drawings with one version and one insert; return a row or refusal for each."""
    sketches = side_by_side(or_refusal(sketch), files)
    accepted = [made for made in sketches if isinstance(made, Sketch)]
    if not accepted:
        return [refused for refused in sketches if isinstance(refused, Declined)]
    glyphs = np.stack([made.glyph for made in accepted])
    answer = recognizer.read(glyphs, side_by_side=readers().map)
    predictions = [
        prediction_of(made, reading, answer.version, owner=owner, source=source)
        for made, reading in zip(accepted, answer.readings, strict=True)
    ]
    store(predictions, accepted)
    stored = iter(predictions)
    return [next(stored) if isinstance(made, Sketch) else made for made in sketches]


# -- many pictures at once ------------------------------------------------------------------------


def pixels_in(pictures: Iterable[Picture]) -> int:
    return sum(pixels_of(each) if isinstance(each, bytes) else each.size for each in pictures)


def is_long_work(pictures: Iterable[Picture]) -> bool:
    return pixels_in(pictures) > BIG_PIXELS


def slot_for(picture: bytes) -> contextlib.AbstractContextManager[None]:
    """Take a slot for long work if the picture needs one; a drawing of our page never does."""
    return slots().take() if is_long_work([picture]) else contextlib.nullcontext()


def side_by_side(sketch: Callable[[Any], Made], pictures: Sequence[Picture]) -> list[Made]:
    """Sketch each picture; long work takes a slot and runs in several threads."""
    if not is_long_work(pictures):
        return [sketch(each) for each in pictures]
    with slots().take():
        return list(sketchers().map(sketch, pictures))


@functools.cache
def sketchers() -> ThreadPoolExecutor:
    """A thread pool that decodes images in parallel: decoding releases the GIL.

    It has one thread a core, at most MOST_SKETCHERS; each holds one image at a time.
    """
    return ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_SKETCHERS), "sketcher")


@functools.cache
def readers() -> ThreadPoolExecutor:
    """A thread pool of its own for reading glyphs, so that they never wait for large images."""
    return ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_SKETCHERS), "reader")


def glyphs_of(files: Sequence[bytes]) -> list[NDArray[np.uint8] | Declined]:
    """Return the glyph or the refusal of each file, in order."""
    return side_by_side(or_refusal(lambda data: glyph_of(open_image(data))), files)


def or_refusal(read: Callable[[Any], Made]) -> Callable[[Any], Made | Declined]:
    """A function that returns the refusal of a picture instead of raising it."""

    def read_or_refuse(picture: Any) -> Made | Declined:
        try:
            return read(picture)
        except (ImageRefused, NoInk) as refused:
            return refused

    return read_or_refuse


# -- pictures that were made elsewhere ------------------------------------------------------------


def sketch_all(pictures: Sequence[Picture]) -> list[Sketch | Declined]:
    """Return the sketch or the refusal of each picture of a collection, in order."""
    return side_by_side(or_refusal(sketch_ready), pictures)


def sketch_ready(picture: Picture) -> Sketch:
    """Like `sketch`, but a picture that already is a glyph keeps its pixels.

    A JPEG or a WebP never is one, because compression has changed its pixels.
    """
    if isinstance(picture, bytes):
        gray, is_exact = upright_gray(open_image(picture)), picture.startswith(PNG_SIGNATURE)
    else:
        gray, is_exact = Image.fromarray(picture), True
    ready = ready_glyph(gray) if is_exact else None
    return Sketch(glyph_of(gray) if ready is None else ready, thumbnail_png(gray))


def read_imported(sketches: Sequence[Sketch]) -> list[Prediction]:
    """Return rows for `store`; they have no owner, and none is chosen for the audit."""
    if not sketches:
        return []
    answer = recognizer.read(np.stack([made.glyph for made in sketches]))
    return [
        prediction_of(
            made, reading, answer.version, owner=Owner(), source=Prediction.Source.IMPORT,
            in_audit=False,
        )
        for made, reading in zip(sketches, answer.readings, strict=True)
    ]  # fmt: skip


# -- rows -----------------------------------------------------------------------------------------


def prediction_of(
    made: Sketch,
    reading: Reading,
    version: ModelVersion,
    *,
    owner: Owner,
    source: str,
    at: datetime | None = None,
    in_audit: bool = True,
) -> Prediction:
    """Return the row to store; `at` sets a time in the past.

    The audit samples what people draw here, so other pictures need `in_audit=False`.
    """
    public_id, confidence = uuid.uuid4(), min(reading.confidence, 1.0)
    probability = audit_probability(confidence) if in_audit else 0.0
    return Prediction(
        public_id=public_id,
        version=version,
        digit=reading.digit,
        confidence=confidence,
        probabilities=reading.probabilities.tolist(),
        strangeness=min(max(reading.strangeness, 0.0), 1.0),
        glyph=encode_glyph(made.glyph),
        glyph_digest=made.digest,
        source=source,
        user_id=owner.user_id,
        visitor=owner.visitor,
        is_audit=audits.is_drawn(public_id, probability),
        audit_probability=probability,
        created_at=at or Moment(),
        day=timezone.localdate(at) if at else Today(),
    )


def audit_probability(confidence: float) -> float:
    """The probability with which a drawing that was just read with this confidence is audited."""
    if not settings.AUDIT_BY_CONFIDENCE:
        return float(settings.AUDIT_RATE)
    return audits.band_probabilities(settings.AUDIT_RATE)[ranks.band_of(confidence)]


def confidences_before(most: int) -> list[float]:
    """The confidences of the last drawings made here, oldest first."""
    rows = Prediction.objects.order_by("-pk").values_list("confidence", "source")[:most]
    return [sure for sure, source in [*rows][::-1] if source not in NOT_MADE_HERE]


ranks = audits.Ranks(confidences_before)


def store(predictions: Sequence[Prediction], sketches: Sequence[Sketch]) -> None:
    with transaction.atomic():
        insert(predictions)
        for prediction in predictions:
            prediction.day = timezone.localdate(prediction.created_at)  # the day that was stored
        insert(
            [
                Drawing(prediction_id=prediction.pk, png=made.drawing_png)
                for prediction, made in zip(predictions, sketches, strict=True)
            ]
        )
    first = predictions[0]  # all of one request: one version, one source
    metrics.note_predictions(first.version.name, first.source, len(predictions))
