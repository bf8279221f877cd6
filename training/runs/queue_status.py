"""For the training page: the labels that a new run would learn from."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache

from labeling.decisions.trust import labels_to_learn_from, labels_toward_next_run
from labeling.models import LabelEvent
from training.models import Snapshot
from training.snapshots.snapshots import choose, default_rule

REMEMBERED = 300  # seconds; choosing reads every settled label


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
    """How many labels no run has learned yet, and how many start the next run."""

    new: int
    needed: int
    learning: int  # of the new ones, those that the active run learns from

    @property
    def share(self) -> float:
        return min(self.new / self.needed, 1.0)


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
    new = labels_toward_next_run()
    return Toward(new, settings.LABELS_PER_RUN, max(new - labels_to_learn_from(), 0))
