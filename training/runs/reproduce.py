"""Train a version again from its rows and compare the weights. Nothing is written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from predictions.models import Artifact, ModelVersion
from training.errors import NotReproducible
from training.models import Run
from training.runs.recipe import Tuning
from training.snapshots.lineage import run_of


@dataclass(frozen=True, slots=True)
class Reproduction:
    """The digest of the registered weights and of those trained now."""

    version: str
    registered: str
    made: str

    @property
    def is_same(self) -> bool:
        return self.registered == self.made

    def as_json(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "registered": self.registered,
            "made": self.made,
            "same": self.is_same,
        }


def reproduce(
    version: ModelVersion, *, each_epoch: Callable[[str], object] = lambda line: None
) -> Reproduction:
    """Repeat the fine-tune of a version. Imports torch into this process."""
    from training.runs.fine_tune import bundle_of, lesson_of

    run = run_of(version)
    if run is None:
        raise NotReproducible(how_else(version))
    if "demo" in version.card:
        raise NotReproducible(
            f"{version} belongs to the demo: seed_demo with the same seed makes it again."
        )
    if erased := run.snapshot.labels.filter(event__prediction__erased_at__isnull=False).count():
        raise NotReproducible(
            f"Of the {run.snapshot.count:,} drawings {version} learned from, {erased:,} have been "
            "erased since: nothing teaches exactly the same again."
        )
    if run.recipe.get("hands") != Tuning().hands:
        raise NotReproducible(
            f"{version} also learned from digits that its release drew from templates of "
            "handwriting. This release has other templates: reproduce it with that one."
        )
    run.checkpoint = None  # start from the first epoch
    registered = Artifact.objects.get(version=version, kind=Artifact.Kind.SAFETENSORS).sha256
    lesson = lesson_of(run)
    kept = chosen_epoch(run)
    for epoch in lesson.course.epochs():
        each_epoch(f"epoch {epoch.number} of {lesson.tuning.epochs}: loss {epoch.loss:.4f}")
        if epoch.number == kept:
            break
    made = hashlib.sha256(bundle_of(run, lesson).weights).hexdigest()
    return Reproduction(version.name, registered, made)


def chosen_epoch(run: Run) -> int | None:
    """The epoch that a run kept; None for the last.

    Older releases kept the epoch that read the held-out drawings best, if there were enough.
    """
    few = len(run.snapshot.holdout) < run.recipe.get("least_holdout", 50)
    if few or run.epochs.filter(holdout_accuracy=None).exists():  # this release trained it
        return None
    best = run.epochs.order_by("-holdout_accuracy", "-number").values_list("number", flat=True)
    return best.first()


def how_else(version: ModelVersion) -> str:
    """How to make a version that no run made, from its card."""
    if "recipe" not in version.card:
        return f"No run made {version}, and its card holds no recipe."
    threads = version.card.get("made_with", {}).get("threads")  # the last bits depend on it
    command = f"manage.py train_base --seed {version.card.get('seed', 0)} --into FOLDER"
    command += f" --threads {threads}" if threads else ""
    return (
        f"No run made {version}: it was trained from nothing. "
        f"`{command}` does that again with the recipe of this release; compare the digest it "
        f"prints with that of weights.safetensors here: {digest_of(version)}."
    )


def digest_of(version: ModelVersion) -> str:
    weights = Artifact.objects.filter(version=version, kind=Artifact.Kind.SAFETENSORS)
    return weights.values_list("sha256", flat=True).first() or "none"
