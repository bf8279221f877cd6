"""Which labels a version learned from, and which versions learned from a label.

A label belongs to everybody whose decision it rested on when it was frozen, not only the last one.

A version contains a label if the label is in the snapshot of its own run, or of a run of any of its
ancestors, because a version inherits their weights.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Count, F, Q

from labeling.batches.batches import AT_ONCE
from labeling.batches.supporters import items_resting_on
from labeling.models import Label, LabelEvent
from predictions.database.slices import chunks
from predictions.models import ModelVersion, Prediction
from training.models import Run, SnapshotEvent, SnapshotLabel

if TYPE_CHECKING:
    from training.snapshots.snapshots import Rule

# The last of three opinions may be the one that was outvoted.
SPOKE_FOR_IT = Q(event__digit=F("digit"))
NOBODY = "visitors"  # labels by feedback of people without a login


@dataclass(frozen=True, slots=True)
class Containing:
    """A version that learned from certain labels, itself or through one it was made from."""

    version: ModelVersion
    labels: int  # of them in its own snapshot; 0 when it only inherited them
    through: str  # the nearest version that learned them itself

    def as_json(self) -> dict[str, Any]:
        return {
            "version": self.version.name,
            "state": self.version.state,
            "labels": self.labels,
            "through": self.through,
        }


def ancestry(version: ModelVersion) -> Iterator[ModelVersion]:
    """The version and its ancestors, up to the first."""
    step: ModelVersion | None = version
    while step is not None:
        yield step
        step = step.parent


def run_of(version: ModelVersion) -> Run | None:
    """The run that made a version; None if it was trained from nothing or imported."""
    runs = Run.objects.filter(version=version).select_related("snapshot", "asked_by", "parent")
    return runs.defer("checkpoint", "log", "snapshot__holdout").first()


def events_withdrawn(labelers: Iterable[int], visitors: Iterable[str | UUID]) -> Q:
    """Frozen labels that rest on decisions of these people, or that these visitors drew."""
    labelers, visitors = list(labelers), [str(visitor) for visitor in visitors]
    said = Q(event__labeler__in=labelers) | Q(event__visitor__in=visitors)
    before = SnapshotEvent.objects.filter(said).values("label")
    return said & SPOKE_FOR_IT | Q(pk__in=before) | Q(event__prediction__visitor__in=visitors)


def clean_ancestor(live: ModelVersion, rule: Rule) -> ModelVersion:
    """The live version or its nearest ancestor that contains no withdrawn label."""
    if not rule.without_labelers and not rule.without_visitors:
        return live
    withdrawn = events_withdrawn(rule.without_labelers, rule.without_visitors)
    dirty = {containing.version.pk for containing in versions_containing(withdrawn)}
    chain = list(ancestry(live))
    return next((version for version in chain if version.pk not in dirty), chain[-1])


def versions_containing(which: Q) -> list[Containing]:
    """Every version that contains such labels, oldest first."""
    counted = (
        SnapshotLabel.objects.filter(which, snapshot__runs__version__isnull=False)
        .values("snapshot__runs__version")
        .annotate(labels=Count("pk", distinct=True))
    )
    own = {row["snapshot__runs__version"]: row["labels"] for row in counted}
    versions = ModelVersion.objects.defer("card", "canary").order_by("pk")
    through: dict[int, str] = {}
    found = []
    for version in versions:  # a parent is always registered before its children
        if version.pk in own:
            through[version.pk] = version.name
        elif version.parent_id in through:
            through[version.pk] = through[version.parent_id]
        else:
            continue
        found.append(Containing(version, own.get(version.pk, 0), through[version.pk]))
    return found


def labelers_of(run: Run) -> list[tuple[str, int]]:
    """The labelers of a run and how many of its labels rest on each, the largest number first.

    A label that several people agreed on counts for each of them.
    """
    last = run.snapshot.labels.filter(SPOKE_FOR_IT).values_list("event__labeler__username")
    before = (
        SnapshotEvent.objects.filter(label__snapshot=run.snapshot_id)
        .exclude(  # a label of two visitors counts once for NOBODY
            event__labeler=None, label__event__labeler=None, label__event__digit=F("label__digit")
        )
        .values_list("event__labeler__username")
    )
    counted = Counter(dict(last.annotate(Count("pk"))))
    counted.update(dict(before.annotate(Count("label", distinct=True))))
    named = [(name or NOBODY, labels) for name, labels in counted.items()]
    return sorted(named, key=lambda each: (-each[1], each[0]))


@dataclass(frozen=True, slots=True)
class Lineage:
    """The versions behind a prediction, and those that learned from it."""

    prediction: Prediction
    chain: list[tuple[ModelVersion, Run | None]]  # the version that read it and its ancestors
    label: Label | None
    contained_in: list[Containing]

    def as_json(self) -> dict[str, Any]:
        return {
            "prediction": {
                "id": str(self.prediction.public_id),
                "digit": self.prediction.digit,
                "confidence": self.prediction.confidence,
                "made_at": self.prediction.created_at.isoformat(),
            },
            "versions": [version_json(version, run) for version, run in self.chain],
            "label": self.label and label_json(self.label),
            "learned_by": [containing.as_json() for containing in self.contained_in],
        }


def version_json(version: ModelVersion, run: Run | None) -> dict[str, Any]:
    body: dict[str, Any] = {"name": version.name, "state": version.state, "run": None}
    if run is not None:
        body["run"] = {
            "id": str(run.public_id),
            "number": run.pk,
            "trigger": run.trigger,
            "asked_by": run.asked_by and run.asked_by.get_username(),
            "snapshot": run.snapshot.digest,
            "labels": run.snapshot.count,
            "labelers": dict(labelers_of(run)),
            "events": list(run.snapshot.labels.order_by("event").values_list("event", flat=True)),
        }
    return body


def label_json(label: Label) -> dict[str, Any]:
    events = LabelEvent.objects.filter(prediction=label.prediction_id).select_related("labeler")
    return {
        "value": label.value,
        "state": label.state,
        "events": [
            {
                "id": event.pk,
                "kind": event.kind,
                "value": None if event.is_reversal else event.value,
                "labeler": event.labeler.get_username() if event.labeler else NOBODY,
                "stream": event.stream,
                "made_at": event.created_at.isoformat(),
            }
            for event in events.order_by("pk")
        ],
    }


def lineage_of(prediction: Prediction) -> Lineage:
    """The versions behind a prediction, their labelers, and the versions that learned from it."""
    chain = [(version, run_of(version)) for version in ancestry(prediction.version)]
    label = Label.objects.filter(prediction=prediction).first()
    learned = versions_containing(Q(event__prediction=prediction))
    return Lineage(prediction, chain, label, learned)


@dataclass(frozen=True, slots=True)
class Source:
    """Somebody whose labels or drawings can be withdrawn."""

    labelers: tuple[int, ...] = ()
    visitors: tuple[str, ...] = ()

    @property
    def events(self) -> Q:
        return events_withdrawn(self.labelers, self.visitors)

    @property
    def is_known(self) -> bool:
        """Whether this labeler or visitor exists."""
        return (
            User.objects.filter(pk__in=self.labelers).exists()
            or Prediction.objects.filter(visitor__in=self.visitors).exists()
            or LabelEvent.objects.filter(visitor__in=self.visitors).exists()
        )

    def standing_labels(self) -> int:
        """How many settled labels a run would leave out."""
        settled = Label.objects.settled()
        drawn = settled.filter(prediction__visitor__in=self.visitors)
        theirs = set(drawn.values_list("pk", flat=True))
        for some in chunks(sorted(items_resting_on(self.labelers, self.visitors)), AT_ONCE):
            theirs.update(settled.filter(pk__in=some).values_list("pk", flat=True))
        return len(theirs)
