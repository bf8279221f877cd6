"""Glyphs as they are made, labels on them, and files of them."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from labeling.batches.bulk import correct_each
from labeling.decisions.decisions import Answer
from labeling.models import Batch, Label
from predictions.glyphs.glyph import encode_glyph
from predictions.models import Prediction
from tests.labeling.door import make_item

Glyph = NDArray[np.uint8]


def a_glyph(seed: int = 0) -> Glyph:
    """Ink of any strength, in the box that glyphs keep it in, and black around."""
    glyph = np.zeros((28, 28), np.uint8)
    glyph[4:24, 4:24] = np.random.default_rng(seed).integers(0, 256, (20, 20), dtype=np.uint8)
    glyph[14, 14] = 255
    return glyph


def labeled_item(actual: int | None, seed: int = 0, by: Any = None, **fields: Any) -> Prediction:
    item = make_item(glyph=a_glyph(seed), **fields)
    correct_each({item.pk: Answer(actual)}, by=by, kind=Batch.Kind.CORRECTION, chosen_by={})
    return item


def what_stands() -> set[tuple[Any, int | None]]:
    """Of every label: which glyph it is about, and what it says."""
    return set(Label.objects.values_list("prediction__glyph_digest", "digit"))


def forget_everything() -> None:
    """An empty installation with the same live version."""
    from labeling.models import Arrival, Intake, LabelEvent, QueueItem
    from predictions.models import Drawing

    for model in (Arrival, Label, LabelEvent, Batch, QueueItem, Intake, Drawing, Prediction):
        model.objects.all().delete()  # type: ignore[attr-defined]


def as_png(glyph: Glyph) -> bytes:
    """Written by somebody else's hand."""
    file = io.BytesIO()
    Image.fromarray(glyph).save(file, "PNG", optimize=True)
    return file.getvalue()


def zip_of(files: dict[str, bytes], path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def idx_images(glyphs: list[Glyph], *, count: int | None = None) -> bytes:
    count = len(glyphs) if count is None else count
    return struct.pack(">4I", 0x803, count, 28, 28) + b"".join(g.tobytes() for g in glyphs)


def idx_labels(digits: list[int]) -> bytes:
    return struct.pack(">2I", 0x801, len(digits)) + bytes(digits)


def read_idx(folder: Path, name: str) -> NDArray[np.uint8]:
    """As MNIST's loaders read it: the header's sizes, then the bytes."""
    path = folder / name
    packed = folder / f"{name}.gz"
    content = path.read_bytes() if path.exists() else gzip.decompress(packed.read_bytes())
    sides = content[3]
    shape = struct.unpack(f">{sides}I", content[4 : 4 + 4 * sides])
    return np.frombuffer(content, np.uint8, offset=4 + 4 * sides).reshape(shape)


def png_of(seed: int) -> bytes:
    return encode_glyph(a_glyph(seed))
