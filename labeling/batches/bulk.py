"""Bulk actions on a selection, item by item. Each makes one batch that can be undone."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User

from labeling.batches import batches
from labeling.batches.batches import AT_ONCE, adapted_time, execute_sql
from labeling.batches.selections import ShownItems
from labeling.decisions.blindness import unanswered_audits
from labeling.decisions.decisions import Answer
from labeling.errors import EmptySelection
from labeling.models import Batch, LabelEvent
from labeling.turns import among_keys, in_turn, selected
from predictions.database.fields import adapted_uuid
from predictions.database.slices import chunks
from predictions.models import Prediction

logger = logging.getLogger(__name__)
BLIND = "audits nobody has answered yet, which are labeled blind"

AUDITS = "SELECT p.id FROM predictions_prediction AS p WHERE p.is_audit AND p.id {among}"
# The visitor's feedback becomes the correction.
FEEDBACK = """
INSERT INTO labeling_labelevent (prediction_id, kind, digit, is_unreadable, labeler_id, created_at,
  stream, version_id, guess_shown, wants_second, is_gold, batch_id)
SELECT p.id, 'correct', f.digit, (f.digit IS NULL), %s, %s, '', p.version_id, %s, %s, %s, %s
FROM predictions_prediction AS p JOIN predictions_feedback AS f ON f.prediction_id = p.id
WHERE p.id {among} ORDER BY p.id"""


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """The result of a bulk action: its batch, and how many items it left alone and why."""

    batch: Batch
    left: Mapping[str, int]

    def __str__(self) -> str:
        return f"{self.batch.count:,} done. {left_alone_in_words(self.left)}".strip()


def left_alone_in_words(left: Mapping[str, int]) -> str:
    """Say in sentences how many items were left alone and why."""
    return " ".join(f"{count:,} left alone: {why}." for why, count in left.items() if count)


@in_turn
def set_verdict(
    shown: ShownItems, verdict: Answer, *, by: User, chosen_by: dict[str, Any]
) -> BulkOutcome:
    """Correct the items that were shown, except audits that nobody has answered blind yet."""
    keys, left = shown.unchanged()
    blind = unanswered_audits(keys)
    left[BLIND] = len(blind)
    rest = sorted(set(keys) - blind)
    batch = Batch.objects.create(
        kind=Batch.Kind.CORRECTION, made_by=by, chosen_by=chosen_by, count=len(rest)
    )
    batches.append_corrections(rest, verdict, by=by, batch=batch)
    finish(batch, nothing="Nothing selected can be corrected. " + left_alone_in_words(left))
    return BulkOutcome(batch, left)


@in_turn
def accept_feedback(shown: ShownItems, *, by: User, chosen_by: dict[str, Any]) -> BulkOutcome:
    """Label each item shown as its visitor said; "not a digit" becomes unreadable.

    Visitors saw the guess before they gave feedback, so audits are left alone.
    """
    keys, left = shown.unchanged()
    audits = selected(AUDITS, keys)
    rest = sorted(set(keys).difference(audits))
    batch = Batch.objects.create(kind=Batch.Kind.CORRECTION, made_by=by, chosen_by=chosen_by)
    among, given = among_keys(rest)
    batch.count = execute_sql(
        FEEDBACK.format(among=among),
        [by.pk, adapted_time(), True, False, False, adapted_uuid(batch.pk), given],
    )
    left |= {
        "audits, which are labeled blind": len(audits),
        "without feedback": len(rest) - batch.count,
    }
    finish(batch, nothing="Nothing selected has feedback to accept. " + left_alone_in_words(left))
    return BulkOutcome(batch, left)


@in_turn
def correct_each(
    verdicts: Mapping[int, Answer],
    *,
    by: User | None,
    kind: str,
    chosen_by: dict[str, Any],
) -> Batch:
    """Correct each prediction, by its key, to its own verdict."""
    keys = sorted(verdicts)
    batch = Batch.objects.create(kind=kind, made_by=by, chosen_by=chosen_by, count=len(keys))
    for some in chunks(keys, AT_ONCE):
        append_verdicts({key: verdicts[key] for key in some}, batch=batch)
    finish(batch, nothing="There is nothing to correct.")
    return batch


def append_verdicts(verdicts: Mapping[int, Answer], *, batch: Batch) -> None:
    """Append the events of a batch; the caller updates labels and queue rows."""
    chosen = Prediction.objects.filter(pk__in=list(verdicts))
    batches.locked_items(verdicts)
    versions = dict(chosen.values_list("pk", "version_id"))
    LabelEvent.objects.bulk_create(
        LabelEvent(
            prediction_id=key,
            kind=LabelEvent.Kind.CORRECT,
            digit=verdict.digit,
            is_unreadable=verdict.is_unreadable,
            labeler_id=batch.made_by_id,
            version_id=versions[key],
            batch=batch,
        )
        for key, verdict in sorted(verdicts.items())
    )


def finish(batch: Batch, *, nothing: str) -> None:
    """Update labels and queue rows from the batch's events; refuse an empty batch."""
    if batch.count == 0:
        raise EmptySelection(nothing)
    batch.save(update_fields=["count"])
    batches.settle_labels(batch)
    batches.close_items(batch)
    logger.info("batch %s (%s) changed %s labels", batch.pk, batch.kind, batch.count)
