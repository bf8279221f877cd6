"""Choose the labels a run learns from by a stored rule, and freeze them.

Training labels are settled and name a digit. Audits, gold and withdrawn people are left out, and so
are labels beyond the share of one person or the copies of one glyph.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Set
from dataclasses import asdict, dataclass, field
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, TextChoices

from labeling.batches.supporters import items_resting_on, others_behind
from labeling.decisions.trust import are_being_learned
from labeling.models import Gold, Label
from predictions.capture.visitors import author_of
from predictions.models import Prediction
from training.models import Snapshot, SnapshotEvent, SnapshotLabel

LEAST_FOR_SHARES = 100  # labels that one person may always give


class LeftOut(TextChoices):
    """Why a settled label is not in a snapshot: the stored value and its words."""

    ERASED = "erased", "of drawings that were erased"
    UNREADABLE = "unreadable", "judged unreadable"
    AUDIT = "audit", "audits: they measure accuracy"
    GOLD = "gold", "gold: it measures labelers"
    LABELER = "withdrawn labeler", "by a labeler who was withdrawn"
    SOURCE = "withdrawn source", "from a visitor who was withdrawn"
    REPEATED = "repeated glyph", "copies of a glyph that is in already"
    SHARE = "share of one source", "beyond the share one person may have"


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule that chose a snapshot's labels; stored with it."""

    source_share: float  # the most of the snapshot that one person may have drawn
    glyph_copies: int  # the most labels of one glyph
    without_labelers: tuple[int, ...] = ()
    without_visitors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """The labels that the rule takes, and how many it leaves out for each reason."""

    labels: list[Label]
    left_out: dict[LeftOut, int] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """The number of labels of each digit."""
        counted = Counter(label.digit for label in self.labels)
        return {str(digit): counted[digit] for digit in range(10)}

    @property
    def digest(self) -> str:
        text = ";".join(f"{label.event_id}:{label.digit}" for label in self.labels)
        return hashlib.sha256(text.encode()).hexdigest()


def default_rule(
    *,
    without_labelers: Iterable[int] = (),
    without_visitors: Iterable[str] = (),
    again_labelers: Iterable[int] = (),
    again_visitors: Iterable[str] = (),
) -> Rule:
    """The rule of the settings; people withdrawn in the last snapshot's rule stay so by default."""
    last = Snapshot.objects.values_list("rule", flat=True).first() or {}
    labelers = {*without_labelers, *last.get("without_labelers", ())} - {*again_labelers}
    visitors = {*without_visitors, *last.get("without_visitors", ())} - {*again_visitors}
    return Rule(
        settings.SNAPSHOT_SOURCE_SHARE,
        settings.SNAPSHOT_GLYPH_COPIES,
        tuple(sorted(labelers)),
        tuple(sorted(visitors)),
    )


def choose(rule: Rule) -> Choice:
    """Apply the rule to the current labels."""
    left_out: Counter[LeftOut] = Counter()
    labels = list(within_shares(list(trainable(rule, left_out)), rule, left_out))
    return Choice(labels, dict(left_out))


def trainable(rule: Rule, left_out: Counter[LeftOut]) -> Iterator[Label]:
    """Yield the labels to train on by event, and count the others."""
    labels = (
        Label.objects.settled()
        .annotate(is_gold=Exists(Gold.objects.filter(prediction=OuterRef("prediction"))))
        .select_related("prediction", "event")
        .defer("prediction__glyph", "prediction__probabilities")
        .order_by("event_id")
    )
    of_labelers = items_resting_on(rule.without_labelers, ())
    of_visitors = items_resting_on((), rule.without_visitors)
    for label in labels.iterator(2_000):
        reason = refusal(label, rule, of_labelers, of_visitors)
        if reason is None:
            yield label
        else:
            left_out[reason] += 1


def refusal(label: Any, rule: Rule, of_labelers: Set[int], of_visitors: Set[int]) -> LeftOut | None:
    """Why a label is left out; the sets hold the items that rest on withdrawn people."""
    prediction = label.prediction
    if prediction.erased_at is not None:
        return LeftOut.ERASED
    if label.is_unreadable:
        return LeftOut.UNREADABLE
    if prediction.is_audit:
        return LeftOut.AUDIT
    if label.is_gold:
        return LeftOut.GOLD
    if label.pk in of_labelers:
        return LeftOut.LABELER
    if label.pk in of_visitors or str(prediction.visitor) in rule.without_visitors:
        return LeftOut.SOURCE
    return None


def within_shares(labels: list[Label], rule: Rule, left_out: Counter[LeftOut]) -> Iterator[Label]:
    """The labels within the rule's limits for each glyph and person; the newest have priority."""
    glyphs: Counter[Any] = Counter()
    sources: Counter[Any] = Counter()
    most = max(int(rule.source_share * len(labels)), LEAST_FOR_SHARES)
    taken = []
    for label in reversed(labels):
        drawn, glyph = label.prediction, label.prediction.glyph_digest
        source = author_of(drawn.user_id, drawn.visitor, glyph)
        if glyphs[glyph] >= rule.glyph_copies:
            left_out[LeftOut.REPEATED] += 1
        elif sources[source] >= most:
            left_out[LeftOut.SHARE] += 1
        else:
            glyphs[glyph] += 1
            sources[source] += 1
            taken.append(label)
    yield from reversed(taken)


def newest_prediction() -> int:
    """The highest key of a prediction now; 0 if there is none."""
    keys = Prediction.objects.order_by("-pk").values_list("pk", flat=True)
    return keys.first() or 0


@transaction.atomic
def freeze(choice: Choice, rule: Rule) -> Snapshot:
    """Store the chosen labels; later labels do not change them."""
    snapshot = Snapshot.objects.create(
        digest=choice.digest,
        rule=asdict(rule),
        count=len(choice.labels),
        counts={"digits": choice.counts, "left_out": choice.left_out},
        last_event_id=max((label.event_id for label in choice.labels), default=None),
        # Read after the labels were chosen, so no label is of a later drawing.
        last_prediction=newest_prediction(),
    )
    frozen = {
        label.pk: SnapshotLabel(snapshot=snapshot, event_id=label.event_id, digit=label.digit)
        for label in choice.labels
        if label.digit is not None
    }
    SnapshotLabel.objects.bulk_create(frozen.values(), batch_size=5_000)
    SnapshotEvent.objects.bulk_create(
        [
            SnapshotEvent(label=frozen[key], event_id=event)
            for key, events in others_behind(choice.labels).items()
            for event in events
        ],
        batch_size=5_000,
    )
    if snapshot.last_event_id is not None:
        are_being_learned(snapshot.last_event_id)
    return snapshot
