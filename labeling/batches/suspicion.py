"""Settled labels that look wrong, ranked by confident learning and sent back for a blind look.

The probabilities are those stored at capture. The drawing had no label then, so no version that
made them can have learned from the label they are compared with. They are out-of-fold predictions
without cross-validation.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from django.contrib.auth.models import User
from django.db.models import Exists, F, OuterRef, Q
from numpy.typing import NDArray

from labeling.batches import review_requests
from labeling.batches.batches import AT_ONCE
from labeling.batches.review import reviewable
from labeling.decisions.agreement import Rate, rate
from labeling.errors import EmptySelection
from labeling.models import Ask, Batch, Gold, Label, LabelEvent
from labeling.queue.intake import enqueue_new
from labeling.turns import in_turn
from predictions.database.slices import chunks
from predictions.models import Prediction

logger = logging.getLogger(__name__)
DIGITS = 10


@dataclass(frozen=True, slots=True)
class Suspect:
    """A settled label, and how far the probability of another digit exceeds its own, -1 to 1."""

    prediction_id: int
    digit: int
    score: float


def suspicion(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which labels confident learning flags, and the margin of another digit over each.

    A digit is confident if its probability reaches its mean over the items labeled with it. A
    label is flagged if the likeliest confident digit is another one.
    """
    claimed = probabilities.astype(np.float64)  # (N, 10)
    rows = np.arange(len(labels))
    own = claimed[rows, labels]
    thresholds = np.full(DIGITS, np.inf)  # a digit without labels is never confident
    for digit in np.unique(labels):
        thresholds[digit] = own[labels == digit].mean()
    confident = np.where(claimed >= thresholds - 1e-9, claimed, -np.inf)
    likeliest = confident.argmax(axis=1)
    flagged = np.isfinite(confident.max(axis=1)) & (likeliest != labels)
    others = claimed.copy()
    others[rows, labels] = -np.inf
    return flagged, others.max(axis=1) - own


def suspects(limit: int | None = None) -> list[Suspect]:
    """Return settled labels, the most suspicious first; no audits or gold, none sent before."""
    asked = Ask.objects.filter(
        prediction=OuterRef("pk"), score__isnull=False, batch__undone_at__isnull=True
    )
    rows = list(
        Label.objects.settled()
        .readable()
        .pictured()
        .filter(prediction__is_audit=False)
        .filter(~Exists(Gold.objects.filter(prediction=OuterRef("pk"))), ~Exists(asked))
        .order_by("pk")
        .values_list("pk", "digit", "prediction__probabilities")
    )
    if not rows:
        return []
    labels = np.array([digit for _, digit, _ in rows], dtype=np.int64)
    probabilities = np.array([each for *_, each in rows], dtype=np.float32)
    flagged, scores = suspicion(probabilities, labels)
    at = np.flatnonzero(flagged)
    ranked = at[np.argsort(-scores[at], kind="stable")][:limit]
    return [Suspect(rows[i][0], int(labels[i]), float(scores[i])) for i in ranked]


def send_suspicious_to_review(limit: int, *, by: User | None) -> Batch:
    """Send the most suspicious labels to a blind look by somebody who has not answered them.

    The label stays as it is until then.
    """
    enqueue_new()
    return ask_about_suspects(limit, by=by)


@in_turn
def ask_about_suspects(limit: int, *, by: User | None) -> Batch:
    found = {suspect.prediction_id: suspect for suspect in suspects()}
    may, _ = reviewable(list(found))
    chosen = may[:limit]
    if not chosen:
        raise EmptySelection("No settled label looks suspicious.")
    batch = Batch.objects.create(
        kind=Batch.Kind.REVIEW,
        made_by=by,
        chosen_by={"reason": "suspicious labels", "limit": limit},
        count=len(chosen),
    )
    scores = {key: suspect.score for key, suspect in found.items()}
    for some in chunks(chosen, AT_ONCE):
        review_requests.request_review(some, batch=batch, scores=scores)
    logger.info("batch %s sent %s suspicious labels to review", batch.pk, len(chosen))
    return batch


def precision() -> Rate:
    """The share of suspicious labels that were changed, of those somebody looked at again."""
    answered = LabelEvent.objects.filter(
        prediction=OuterRef("prediction"), pk__gt=OuterRef("prediction__queue_item__review_after")
    ).standing()
    looked_at = Ask.objects.filter(
        Exists(answered), score__isnull=False, batch__undone_at__isnull=True
    ).exclude(prediction__label__state=Label.State.AWAITING)
    overturned = looked_at.filter(
        Q(prediction__label__is_unreadable=True)
        | Q(prediction__label__digit__lt=F("digit"))
        | Q(prediction__label__digit__gt=F("digit"))
    )
    return rate(overturned.count(), looked_at.count())


def drawings_of(found: list[Suspect]) -> dict[int, Prediction]:
    keys = [suspect.prediction_id for suspect in found]
    return Prediction.objects.for_lists().in_bulk(keys)
