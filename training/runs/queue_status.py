"""For the training page: the labels a new run would learn from, and the state of the workers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

from labeling.decisions.trust import labels_to_learn_from
from labeling.models import LabelEvent
from predictions.models import WorkerBeat
from predictions.operation.health import WORKERS_SEEN_WITHIN, expected_clusters
from training.models import Snapshot
from training.snapshots.snapshots import choose, default_rule

REMEMBERED = 300  # seconds; choosing reads every settled label
CLUSTER = "training"


@dataclass(frozen=True, slots=True)
class RunPreview:
    """What a run started now would learn from."""

    count: int
    digits: list[int]  # ten
    left_out: list[tuple[str, int]]  # why, in words, and how many

    @property
    def most(self) -> int:
        return max(self.digits)


@dataclass(frozen=True, slots=True)
class Toward:
    """How many labels are new, and how many start the next run."""

    new: int
    needed: int

    @property
    def share(self) -> float:
        return min(self.new / self.needed, 1.0)


@dataclass(frozen=True, slots=True)
class Workers:
    """The state of the training workers, in words."""

    is_well: bool
    said: str
    seen_at: datetime | None


def run_preview() -> RunPreview:
    """What a run would learn from; cached until the next label event, or for REMEMBERED seconds."""
    last_event = LabelEvent.objects.order_by("-pk").values_list("pk", flat=True).first()
    last_snapshot = Snapshot.objects.values_list("pk", flat=True).first()
    key = f"training:preview:{last_event}:{last_snapshot}"
    known = cache.get(key)
    if known is None:
        choice = choose(default_rule())
        left_out = [(str(why.label), count) for why, count in choice.left_out.items()]
        known = RunPreview(
            len(choice.labels),
            list(choice.counts.values()),
            sorted(left_out, key=lambda reason: -reason[1]),
        )
        cache.set(key, known, REMEMBERED)
    return known


def toward() -> Toward:
    return Toward(labels_to_learn_from(), settings.LABELS_PER_RUN)


def workers() -> Workers:
    """Whether the training cluster is alive and finishes jobs."""
    beat = WorkerBeat.objects.filter(cluster=CLUSTER).order_by("-seen_at").first()
    if beat is None:
        return Workers(False, "No training worker was ever seen here: a run would wait.", None)
    now = timezone.now()
    longest_job = expected_clusters()[CLUSTER]
    if beat.seen_at < now - WORKERS_SEEN_WITHIN:
        fault = f"No training worker shows life ({beat.host}): a run would wait."
    elif beat.worked_at is None or beat.worked_at < now - longest_job:
        fault = f"The worker on {beat.host} is alive, but no job passes through it."
    else:
        return Workers(True, f"The training worker on {beat.host} is well.", beat.seen_at)
    return Workers(False, fault, beat.seen_at)
