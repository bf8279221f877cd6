"""Export labels: as rows for spreadsheets and programs, or with their glyphs for training.

Rows are read page by page along the primary key, so memory use is constant and no cursor waits for
a slow client. A broken download of rows can continue after its last id. A download of glyphs is an
archive and has to start again.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db.models import F

from labeling.files.csv_cells import cell, value_as_text
from labeling.files.formats.known import WRITERS as GLYPH_WRITERS
from labeling.files.formats.rows import Labeled
from labeling.models import Label, LabelQuerySet
from predictions.database.slices import slices
from predictions.models import Prediction

AT_ONCE = 5_000  # labels read by one query
GLYPHS_AT_ONCE = 1_000  # of about 800 bytes each
PIECE = 64 * 1024  # characters
ROWS = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}
FORMATS = {**ROWS, **{name: writer.media_type for name, writer in GLYPH_WRITERS.items()}}
# Column name: field of the label.
COLUMNS = {
    "id": "prediction__public_id",
    "digit": "digit",
    "is_unreadable": "is_unreadable",
    "state": "state",
    "opinions": "opinions",
    "predicted": "prediction__digit",
    "confidence": "prediction__confidence",
    "model": "prediction__version__name",
    "is_audit": "prediction__is_audit",
    "drawn_at": "prediction__created_at",
    "labeled_at": "event__created_at",
    "labeled_by": "event__labeler__username",
    "kind": "event__kind",
    "stream": "event__stream",
}


def rows(
    labels: LabelQuerySet | None = None, *, after: UUID | None = None
) -> Iterator[dict[str, Any]]:
    """Yield current labels ordered by prediction, beginning after the prediction `after`."""
    labels = Label.objects.all() if labels is None else labels
    for page in slices(labels, AT_ONCE, after=resume_key(after)):
        for values in page.values_list(*COLUMNS.values()):
            yield dict(zip(COLUMNS, values, strict=True))


def resume_key(public_id: UUID | None) -> int:
    """Return the key to continue after; an unknown id is an error, not a new start."""
    if public_id is None:
        return 0
    key: int = Prediction.objects.values_list("pk", flat=True).get(public_id=public_id)
    return key


def id_of(text: str | None) -> UUID | None:
    """Parse an id that a user typed; like an unknown id, an invalid one raises `DoesNotExist`."""
    try:
        return UUID(text) if text else None
    except ValueError:
        raise Prediction.DoesNotExist from None


def as_csv(found: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A header and a line for each row, a page of text at a time."""
    return in_pages(
        line(list(COLUMNS)), (line([cell(value) for value in row.values()]) for row in found)
    )


def as_ndjson(found: Iterable[dict[str, Any]]) -> Iterator[str]:
    return in_pages("", (json.dumps(row, default=value_as_text) + "\n" for row in found))


WRITERS: dict[str, Callable[[Iterable[dict[str, Any]]], Iterator[str]]] = {
    "csv": as_csv,
    "ndjson": as_ndjson,
}


def in_format(
    name: str, labels: LabelQuerySet | None, *, after: UUID | None = None
) -> Iterator[bytes]:
    """Yield an export in pieces; with glyphs it has settled labels only, as rows it has all."""
    if name in GLYPH_WRITERS:
        return GLYPH_WRITERS[name].write(with_glyphs(labels))
    return (page.encode() for page in WRITERS[name](rows(labels, after=after)))


def file_name(name: str) -> str:
    suffix = GLYPH_WRITERS[name].suffix if name in GLYPH_WRITERS else name
    return f"labels.{suffix}"


GLYPH_COLUMNS = {
    "id": "prediction__public_id",
    "digit": "digit",
    "glyph": "prediction__glyph",
    "predicted": "prediction__digit",
    "confidence": "prediction__confidence",
    "model": "prediction__version__name",
    "drawn_at": "prediction__created_at",
    "labeled_at": "event__created_at",
    "is_audit": "prediction__is_audit",
}


def with_glyphs(labels: LabelQuerySet | None = None) -> Iterator[Labeled]:
    """Yield settled labels with their glyphs, ordered by prediction."""
    chosen = (Label.objects.all() if labels is None else labels).settled().pictured()
    for page in slices(chosen, GLYPHS_AT_ONCE):
        for label in map(Labeled._make, page.values_list(*GLYPH_COLUMNS.values())):
            yield label._replace(glyph=bytes(label.glyph))  # PostgreSQL gives a memoryview


def in_pages(header: str, lines: Iterable[str]) -> Iterator[str]:
    """Join text into larger pieces, so that there are few writes."""
    page, length = [header], len(header)
    for each in lines:
        page.append(each)
        length += len(each)
        if length >= PIECE:
            yield "".join(page)
            page, length = [], 0
    if length:
        yield "".join(page)


def line(cells: list[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


# -- a folder of wrong predictions ---------------------------------------------------------------

IMAGES = "incorrect images"
INDEX = "incorrect predictions.csv"
INDEX_COLUMNS = ["file", "id", "predicted", "actual", "confidence", "model", "drawn_at"]


def wrong() -> LabelQuerySet:
    """Settled labels whose digit differs from the model's guess."""
    return Label.objects.settled().readable().pictured().exclude(digit=F("prediction__digit"))


def export_wrong(folder: Path) -> int:
    """Write each wrongly read glyph as a PNG, and an index; return how many."""
    images = folder / IMAGES
    images.mkdir(parents=True, exist_ok=True)
    count = 0
    with (folder / INDEX).open("w", newline="", encoding="utf-8") as file:
        file.write(line(INDEX_COLUMNS))
        light = wrong().defer("prediction__version__card", "prediction__version__canary")
        chosen = light.select_related("prediction__version")
        for label in itertools.chain.from_iterable(slices(chosen, GLYPHS_AT_ONCE)):
            prediction = label.prediction
            name = f"predicted-{prediction.digit}_actual-{label.digit}_{prediction.public_id}.png"
            (images / name).write_bytes(bytes(prediction.glyph))
            file.write(line([cell(value) for value in index_row(name, label)]))
            count += 1
    return count


def index_row(name: str, label: Label) -> list[Any]:
    prediction = label.prediction
    return [
        name,
        prediction.public_id,
        prediction.digit,
        label.digit,
        f"{prediction.confidence:.4f}",
        prediction.version.name,
        prediction.created_at,
    ]
