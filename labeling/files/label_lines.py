"""Import labels from rows that `export` wrote: a prediction's id, with a digit or unreadable."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO
from uuid import UUID

from django.contrib.auth.models import User

from labeling.batches import bulk
from labeling.batches.batches import AT_ONCE
from labeling.batches.bulk import BulkOutcome, left_alone_in_words
from labeling.batches.selections import ShownItems, what_stands
from labeling.decisions.blindness import unanswered_audits
from labeling.decisions.decisions import Answer
from labeling.errors import EmptySelection
from labeling.files.formats.rows import DIGITS, BadFile
from labeling.models import Batch, Label
from labeling.turns import in_turn
from predictions.database.slices import chunks
from predictions.errors import Declined
from predictions.models import Prediction

TRUE, FALSE = {"true", "1", "yes"}, {"false", "0", "no", ""}


class BadLine(Declined):
    """The line gives no prediction a valid label."""

    code = "bad_line"


@dataclass(slots=True)
class Plan:
    """The changes an import would make."""

    verdicts: dict[int, Answer] = field(default_factory=dict)  # by the prediction's key
    stood: dict[int, int] = field(default_factory=dict)  # state of each when the file was read
    already_so: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)  # line number, why


def plan(file: TextIO, *, file_format: str) -> Plan:
    """Read a file and look up its predictions; changes nothing."""
    made = Plan()
    lines: dict[UUID, tuple[int, Answer]] = {}
    for number, row in read_label_lines(file, file_format):
        try:
            public_id, verdict = person_in_row(row)
            if public_id in lines:
                raise BadLine(f"the id is on line {lines[public_id][0]} too")
            lines[public_id] = (number, verdict)
        except BadLine as refused:
            made.refused.append((number, str(refused)))
    for some in chunks(lines, AT_ONCE):
        place(some, lines, made)
    made.refused.sort()
    return made


def read_label_lines(file: TextIO, file_format: str) -> Iterator[tuple[int, Any]]:
    """The rows of a file with their line numbers."""
    if file_format == "csv":
        reader = csv.DictReader(file)
        if not {"id", "digit"} <= set(reader.fieldnames or []):
            raise BadFile("The first line must name the columns id and digit.")
        for row in reader:
            yield reader.line_num, row
    else:
        for number, text in enumerate(file, start=1):
            if text.strip():
                yield number, row_of_json(text)


def row_of_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None  # refused by the caller, with its line number


def person_in_row(row: Any) -> tuple[UUID, Answer]:
    if not isinstance(row, Mapping):
        raise BadLine("the line is not an object")
    try:
        public_id = UUID(str(row.get("id", "")))
    except ValueError:
        raise BadLine("the id is not the id of a prediction") from None
    return public_id, answer_in_row(row.get("digit"), row.get("is_unreadable"))


def answer_in_row(digit: Any, unreadable: Any) -> Answer:
    said = "" if digit is None else str(digit).strip()
    is_unreadable = flag_of(unreadable)
    if said == "" and is_unreadable:
        return Answer(None)
    if said in DIGITS and not is_unreadable and not isinstance(digit, bool):
        return Answer(int(said))
    raise BadLine("it must say a digit from 0 to 9, or that it is unreadable, and not both")


def flag_of(said: Any) -> bool:
    text = "" if said is None else str(said).strip().lower()
    if text not in TRUE | FALSE:
        raise BadLine("is_unreadable must be true or false")
    return text in TRUE


def place(public_ids: list[UUID], lines: Mapping[UUID, tuple[int, Answer]], made: Plan) -> None:
    """Sort ids into labels to change, labels that are so already, and refused lines."""
    keys = dict(Prediction.objects.filter(public_id__in=public_ids).values_list("public_id", "pk"))
    stood = what_stands(keys.values())
    settled = dict(Label.objects.settled().filter(pk__in=keys.values()).values_list("pk", "digit"))
    audits = unanswered_audits(keys.values())
    for public_id in public_ids:
        number, verdict = lines[public_id]
        key = keys.get(public_id)
        if key is None:
            made.refused.append((number, "there is no prediction with this id"))
        elif key in audits:
            made.refused.append((number, "it is an audit nobody has answered, and labeled blind"))
        elif key in settled and settled[key] == verdict.digit:
            made.already_so += 1
        else:
            made.verdicts[key] = verdict
            made.stood[key] = stood[key]


@in_turn
def apply_plan(made: Plan, *, by: User | None, source: str) -> BulkOutcome:
    """Carry out a plan, as one batch that can be undone.

    Items that changed since the file was read are left alone.
    """
    keys, left = ShownItems(made.stood).unchanged()
    if not keys:
        raise EmptySelection(f"The file changes nothing. {left_alone_in_words(left)}".strip())
    chosen_by = {"file": source, "refused": len(made.refused), "already so": made.already_so}
    verdicts = {key: made.verdicts[key] for key in keys}
    batch = bulk.correct_each(verdicts, by=by, kind=Batch.Kind.IMPORT, chosen_by=chosen_by)
    return BulkOutcome(batch, left)
