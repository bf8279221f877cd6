"""The export for analysts: tidy CSV files, and a dictionary that explains every column.

TABLES defines both the files and the dictionary, so that they agree. Rows are read page by page in
key order and written at once, so memory use does not grow.
"""

from __future__ import annotations

import csv
import hmac
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone

from dashboard.axes import EDGES, MILLION, UNLABELED, UNREADABLE
from dashboard.cube.counting import catch_up
from dashboard.figures import catalog
from dashboard.figures.figure import Figure
from dashboard.filters import Filters
from dashboard.models import Cell
from labeling.files.csv_cells import cell
from labeling.models import Label
from predictions.database.slices import slices
from predictions.models import DIGITS, ModelVersion, Prediction
from training.models import Promotion

AT_ONCE = 5_000  # rows read by one query
FIGURES = "figures"  # the folder of the figures' own files

Pseudonym = Callable[[str], int | None]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """A column: its name, unit, meaning, and how its value is computed."""

    key: str
    unit: str
    meaning: str
    value: Callable[[Row, Pseudonym], Any]


@dataclass(frozen=True, slots=True)
class Table:
    """A file: what a row is, its columns, and a function that yields its rows."""

    name: str
    meaning: str
    fields: Sequence[Field]
    rows: Callable[[], Iterator[Row]]


# -- values ---------------------------------------------------------------------------------------


def plain(key: str, unit: str, meaning: str, source: str = "") -> Field:
    """A column that is a value of the row, unchanged."""
    name = source or key
    return Field(key, unit, meaning, lambda row, _: row[name])


def at_time(key: str, meaning: str, source: str = "") -> Field:
    name = source or key
    unit = "time, ISO 8601 with its distance from UTC"
    return Field(key, unit, meaning, lambda row, _: local(row[name]))


def local(at: Any) -> str | None:
    return None if at is None else timezone.localtime(at).isoformat(timespec="seconds")


def pseudonym(key: str, meaning: str, *sources: str) -> Field:
    """A column with a number in place of a person, from the first of these that the row has."""

    def value(row: Row, number: Pseudonym) -> int | None:
        known = [f"{source} {row[source]}" for source in sources if row[source] is not None]
        return number(known[0]) if known else None

    unit = "number, the same for the same person within one export, and in no other"
    return Field(key, unit, meaning, value)


def new_pseudonyms() -> Pseudonym:
    """Numbers from a random key that is not kept, so they cannot be linked across exports."""
    key = secrets.token_bytes(32)

    def number(who: str) -> int:
        return int.from_bytes(hmac.digest(key, who.encode(), "sha256")[:6], "big")

    return number


def label_column(row: Row, _: Pseudonym) -> Any:
    return word_of(row["label__digit"], row["label__is_unreadable"])


def word_of(digit: int | None, is_unreadable: bool | None) -> Any:
    """A digit, "unreadable", or nothing."""
    return "unreadable" if is_unreadable else digit


def is_right(row: Row, _: Pseudonym) -> bool | None:
    """Whether the reading equals the label; None without a readable label."""
    digit = row["label__digit"]
    return None if digit is None else bool(digit == row["digit"])


def feedback_of(row: Row, _: Pseudonym) -> Any:
    said = row["feedback__prediction"] is not None
    return word_of(row["feedback__digit"], said and row["feedback__digit"] is None)


def probability(digit: int) -> Field:
    return Field(
        f"p{digit}",
        "probability, 0 to 1",
        f"What the version gave the digit {digit}.",
        lambda row, _: round(row["probabilities"][digit], 6),
    )


# -- rows -----------------------------------------------------------------------------------------


def in_key_order(rows: QuerySet[Any], *values: str) -> Iterator[Row]:
    """Rows in the order of the primary key, one query a page."""
    for page in slices(rows, AT_ONCE):
        yield from page.values("pk", *values)


def prediction_rows() -> Iterator[Row]:
    return in_key_order(
        Prediction.objects.all(),
        "created_at", "day", "version__name", "digit", "confidence", "probabilities", "strangeness",
        "source", "is_audit", "audit_probability", "user_id", "visitor", "feedback__prediction",
        "feedback__digit", "label__digit", "label__is_unreadable", "label__state",
    )  # fmt: skip


def label_rows() -> Iterator[Row]:
    return in_key_order(
        Label.objects.annotate(labeler=F("event__labeler_id"), visitor=F("event__visitor")),
        "digit", "is_unreadable", "state", "opinions", "event__created_at", "event__kind",
        "event__stream", "event__guess_shown", "event__seconds", "labeler", "visitor",
    )  # fmt: skip


def cell_rows() -> Iterator[Row]:
    rows = Cell.objects.filter(count__gt=0).order_by(
        "day", "version", "predicted", "label", "bin", "stream", "source", "is_settled", "chance"
    )
    return rows.values(
        "day", "version__name", "predicted", "label", "bin", "stream", "source", "is_settled",
        "chance", "count", "confidence",
    ).iterator(AT_ONCE)  # fmt: skip


def version_rows() -> Iterator[Row]:
    return in_key_order(
        ModelVersion.objects.all(), "name", "state", "parent__name", "created_at", "live_since",
        "card",
    )  # fmt: skip


def promotion_rows() -> Iterator[Row]:
    return in_key_order(
        Promotion.objects.all(), "made_at", "kind", "before__name", "after__name",
        "report__verdict", "why",
    )  # fmt: skip


# -- the description ------------------------------------------------------------------------------

VERSION = plain("version", "name", "The model version that read it.", "version__name")
LABEL_WORDS = 'A digit, "unreadable", or empty: nobody has labeled it.'

PREDICTIONS = Table(
    "predictions",
    "A drawing and what a version said of it, with the label that stands now.",
    [
        plain("prediction", "number", "Names the drawing in all files of this export.", "pk"),
        at_time("drawn_at", "When it was drawn.", "created_at"),
        plain("day", "date", "The day it was drawn on, in the installation's time zone."),
        VERSION,
        plain("predicted", "digit", "What the version took it for.", "digit"),
        plain("confidence", "probability, 0 to 1", "How sure the version was of that."),
        *(probability(digit) for digit in DIGITS),
        plain("strangeness", "0 to 1", "0 is surely a digit, 1 surely none."),
        plain("source", "word", "How it came in: draw, upload, api, batch or demo."),
        plain("is_audit", "true or false", "Chosen at random, labeled blind, never learned from."),
        plain(
            "audit_probability", "probability, 0 to 1",
            "The chance it had of being chosen: an audit stands for 1 / this many drawings.",
        ),
        pseudonym("drawer", "Who drew it.", "user_id", "visitor"),
        Field(
            "feedback", "digit or word", "What its drawer said it is; a claim, no label.",
            feedback_of,
        ),
        Field("label", "digit or word", LABEL_WORDS, label_column),
        plain(
            "label_state", "word", "settled, awaiting (another opinion) or disputed.",
            "label__state",
        ),
        Field("is_right", "true or false", "Read as labeled; empty without a digit.", is_right),
    ],
    prediction_rows,
)  # fmt: skip
LABELS = Table(
    "labels",
    "The label that stands for a drawing, and the decision it rests on.",
    [
        plain("prediction", "number", "The drawing, as in predictions.csv.", "pk"),
        Field(
            "label", "digit or word", 'A digit or "unreadable".',
            lambda row, _: word_of(row["digit"], row["is_unreadable"]),
        ),
        plain("state", "word", "settled, awaiting (another opinion) or disputed."),
        plain("opinions", "count", "How many labelers' opinions it rests on."),
        at_time("labeled_at", "When the last decision that counts was made.", "event__created_at"),
        plain("kind", "word", "label, settle (a ruling) or correct (by an admin).", "event__kind"),
        plain("stream", "word", "Why the item was shown then.", "event__stream"),
        plain(
            "guess_shown", "true or false", "Whether the guess was in sight.",
            "event__guess_shown",
        ),
        plain("seconds", "seconds", "From shown to decided.", "event__seconds"),
        pseudonym("labeler", "Who decided.", "labeler", "visitor"),
    ],
    label_rows,
)  # fmt: skip
CELLS = Table(
    "cells",
    "How many drawings share all of this: the counts every figure is made of.",
    [
        plain("day", "date", "Drawn on, in the installation's time zone."),
        VERSION,
        plain("predicted", "digit", "What the version took it for."),
        Field(
            "label", "digit or word", LABEL_WORDS,
            lambda row, _: None if row["label"] == UNLABELED
            else word_of(row["label"], row["label"] == UNREADABLE),
        ),
        Field(
            "confidence_from", "probability, 0 to 1", "The bin of confidence begins here.",
            lambda row, _: EDGES[row["bin"]],
        ),
        Field(
            "confidence_to", "probability, 0 to 1", "The bin of confidence ends here.",
            lambda row, _: EDGES[row["bin"] + 1],
        ),
        plain("stream", "word", "audit, or the stream of the label that stands; empty for none."),
        plain("source", "word", "How the drawings came in."),
        plain("is_settled", "true or false", "Whether the label is settled."),
        Field(
            "audit_probability", "probability, 0 to 1", "The chance they had of being audited.",
            lambda row, _: row["chance"] / MILLION,
        ),
        plain("count", "count", "Drawings."),
        Field(
            "mean_confidence", "probability, 0 to 1", "Of these drawings.",
            lambda row, _: round(row["confidence"] / MILLION / row["count"], 6),
        ),
    ],
    cell_rows,
)  # fmt: skip
VERSIONS = Table(
    "versions",
    "A model version.",
    [
        plain("version", "name", "Its name.", "name"),
        plain("state", "word", "candidate, live, retired or rejected."),
        plain("parent", "name", "The version it was fine-tuned from; empty for one from nothing.",
              "parent__name"),
        at_time("created_at", "When it was registered."),
        at_time("live_since", "When it last went live; empty if it never did."),
        Field(
            "labels", "count", "Labels it learned from, beside what its parents did.",
            lambda row, _: row["card"].get("labels"),
        ),
        Field(
            "is_demo", "true or false", "Made by seed_demo, with times put back.",
            lambda row, _: "demo" in row["card"],
        ),
    ],
    version_rows,
)  # fmt: skip
PROMOTIONS = Table(
    "promotions",
    "A line of the ledger: which version went live when.",
    [
        at_time("at", "When.", "made_at"),
        plain("kind", "word", "promotion, rollback, or automatic (a rollback by itself)."),
        plain("before", "name", "What was live until then.", "before__name"),
        plain("after", "name", "What was live from then on.", "after__name"),
        plain("verdict", "word", "The gate's, where it was asked.", "report__verdict"),
        plain("why", "text", "The reason given."),
    ],
    promotion_rows,
)
TABLES = (PREDICTIONS, LABELS, CELLS, VERSIONS, PROMOTIONS)

# Units of the columns of figures' files, by kind; the figures define their columns.
UNITS = {
    "text": "text",
    "month": "month, such as 2026-09",
    "day": "date",
    "digit": "digit",
    "version": "name",
    "count": "count",
    "share": "share, 0 to 1",
    "number": "number",
    "yesno": "true or false",
}
INDEX_COLUMNS = {
    "name": "The file in the folder figures, without .csv.",
    "title": "The chart's title.",
    "sentence": "What it shows, in one sentence.",
    "sampled_from": "Which drawings it was counted from.",
    "warning": "Why it is biased; empty if it is not.",
}
MARK_COLUMNS = {
    "at": "When a version went live.",
    "month": "In which month that was.",
    "title": "What is written beside the line.",
}


# -- writing --------------------------------------------------------------------------------------


def export_stats(
    folder: Path,
    *,
    filters: Filters | None = None,
    tables: Sequence[Table] = TABLES,
    progress: Callable[[int], object] = lambda count: None,
) -> dict[str, int]:
    """Write all tables, figures and the dictionary; return the number of rows by file name."""
    catch_up()  # so that figures and tables agree
    number = new_pseudonyms()
    written = {}
    folder.mkdir(parents=True, exist_ok=True)
    made = export_figures(folder, filters or Filters())
    for table in tables:
        lines = lines_of(table, number, progress)
        written[f"{table.name}.csv"] = write_whole(
            folder / f"{table.name}.csv", [field.key for field in table.fields], lines
        )
    written.update({f"{FIGURES}/{figure.name}.csv": len(figure.rows) for figure in made})
    written["dictionary.csv"] = write_dictionary(folder, tables, made)
    return written


def lines_of(
    table: Table, number: Pseudonym, progress: Callable[[int], object]
) -> Iterator[list[Any]]:
    for row in table.rows():
        yield [field.value(row, number) for field in table.fields]
        progress(1)


def write_whole(path: Path, header: Sequence[str], lines: Iterator[Sequence[Any]]) -> int:
    """Write to a temporary file and rename it, so that no reader sees an unfinished file."""
    unfinished = path.with_suffix(".unfinished")
    count = 0
    with unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for line in lines:
            writer.writerow([cell(value) for value in line])
            count += 1
    unfinished.replace(path)
    return count


def export_figures(folder: Path, filters: Filters) -> list[Figure]:
    """Write every figure as the CSV that its page offers, and the files that list them."""
    made = [catalog.make_figure(name, filters) for name in catalog.FIGURES]
    (folder / FIGURES).mkdir(exist_ok=True)
    for figure in made:
        (folder / FIGURES / f"{figure.name}.csv").write_text(figure.as_csv(), encoding="utf-8")
    write_whole(
        folder / "figures.csv",
        list(INDEX_COLUMNS),
        ([getattr(figure, key) for key in INDEX_COLUMNS] for figure in made),
    )
    marks = {tuple(mark.items()): mark for figure in made for mark in figure.marks}
    write_whole(
        folder / "marks.csv",
        list(MARK_COLUMNS),
        ([mark.get(key, "") for key in MARK_COLUMNS] for mark in marks.values()),
    )
    return made


def write_dictionary(folder: Path, tables: Sequence[Table], made: Sequence[Figure]) -> int:
    """Write the unit and meaning of every column of every file."""
    return write_whole(
        folder / "dictionary.csv",
        ["file", "column", "unit", "meaning"],
        dictionary(tables, made),
    )


def dictionary(tables: Sequence[Table], made: Sequence[Figure]) -> Iterator[list[str]]:
    for table in tables:
        for field in table.fields:
            yield [f"{table.name}.csv", field.key, field.unit, field.meaning]
    for name, columns in (("figures.csv", INDEX_COLUMNS), ("marks.csv", MARK_COLUMNS)):
        for key, meaning in columns.items():
            yield [name, key, "text", meaning]
    for figure in made:
        for column in figure.columns:
            yield [f"{FIGURES}/{figure.name}.csv", column.key, UNITS[column.kind], column.title]
