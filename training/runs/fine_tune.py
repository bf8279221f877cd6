"""The fine-tune of a run: the snapshot's labels and replayed digits, and the network they train.

Only the training process imports this: it needs both the database and torch.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from django.conf import settings
from torch import Tensor

from labeling.models import LabelEvent
from predictions.glyphs.glyph import decode_glyph
from predictions.models import Artifact
from predictions.serving.network import UnsoundWeights
from predictions.serving.registry import Bundle, check_finite, checked_content, remedy
from training.engine import calibrate, export
from training.engine.data import Digits, joined, mnist
from training.engine.fit import Anchor, Course, Recipe
from training.engine.mnist import fetch
from training.engine.network import Reader
from training.engine.strangers import strangers
from training.engine.strokes import written_digits
from training.errors import BrokenCheckpoint, NotEnoughLabels
from training.models import Run
from training.runs.recipe import Tuning

DIGEST = hashlib.sha256().digest_size  # bytes


@dataclass
class Lesson:
    """A fine-tune in progress, and the replayed digits that set its temperature."""

    tuning: Tuning
    course: Course
    validation: Digits
    first: dict[str, torch.Tensor]  # the parent's weights

    def state(self) -> bytes:
        """A checkpoint to continue from, after its digest."""
        file = io.BytesIO()
        torch.save({"course": self.course.state()}, file)
        content = file.getvalue()
        return hashlib.sha256(content).digest() + content

    def take_up(self, state: bytes) -> None:
        digest, content = state[:DIGEST], state[DIGEST:]
        if hashlib.sha256(content).digest() != digest:  # torch.load does not check it
            raise BrokenCheckpoint("What an earlier attempt learned is damaged. Start a new run.")
        kept = torch.load(io.BytesIO(content), weights_only=True)
        try:
            self.course.take_up(kept["course"])
        except (KeyError, RuntimeError, ValueError) as other:  # made by another release
            raise BrokenCheckpoint(
                "What an earlier attempt learned fits no lesson of this release. Start a new run."
            ) from other

    def result(self) -> Reader:
        """The network after the last epoch.

        Older recipes average in a share of the parent's weights (`parent_share`), to forget less.
        """
        network = deepcopy(self.course.result)
        network.load_state_dict(
            {
                name: weights.lerp(self.first[name], self.tuning.parent_share)
                if weights.is_floating_point()
                else weights
                for name, weights in network.state_dict().items()
            }
        )
        return network.eval()


def lesson_of(run: Run) -> Lesson:
    """Prepare the fine-tune of a run, the same each time, and load its checkpoint if any."""
    use_threads(settings.TRAINING_THREADS)
    tuning = tuning_of(run)
    torch.manual_seed(tuning.seed)
    dice = torch.Generator().manual_seed(tuning.seed)
    replayed = replayed_digits() if tuning.replays == "mnist" else written_instead(tuning)
    order = torch.randperm(len(replayed), generator=dice)
    parent, _ = network_of_parent(run)
    held, temperature = network_of_parent(run)
    new = labels_of(run)
    doubted = doubted_by(held, temperature, new, below=tuning.doubted_below)
    anchor = Anchor(held, tuning.anchor_weight) if tuning.anchor_weight else None
    first = {name: weights.clone() for name, weights in parent.state_dict().items()}
    lesson = Lesson(
        tuning,
        Course(
            parent,
            rounds(new, doubted, replayed[order[tuning.validation :]], tuning, dice),
            recipe_of(tuning),
            anchor,
        ),
        validation=replayed[order[: tuning.validation]],
        first=first,
    )
    if run.checkpoint is not None:
        lesson.take_up(bytes(run.checkpoint))
    return lesson


def use_threads(count: int) -> None:
    """Set the number of threads that torch uses in this process. One is best for small batches."""
    torch.set_num_threads(count)


def tuning_of(run: Run) -> Tuning:
    """The run's recipe; what an older one does not name is switched off.

    `least_holdout` of older recipes chose the epoch; `reproduce` reads it.
    """
    without = {
        "parent_share": 0.0,
        "written_share": 0.0,
        "new_distortion": run.recipe.get("distortion", Tuning().distortion),
        "anchor_weight": 0.0,
        "other_replay": False,
        "keeps_warmth": False,
        "doubted_repeats": 0,
        "hands": 1,
    }
    recipe = {name: value for name, value in run.recipe.items() if name != "least_holdout"}
    return Tuning(**{**without, **recipe})


def replayed_digits() -> Digits:
    """MNIST's training part, which is replayed; downloaded if it is missing."""
    fetch(settings.MNIST_DIR)
    return mnist(settings.MNIST_DIR, "train")


def written_instead(tuning: Tuning) -> Digits:
    """Digits drawn from templates to replay, enough for an epoch and for the temperature."""
    return written_digits(tuning.digits_an_epoch + tuning.validation, seed=tuning.seed + 1)


def network_of_parent(run: Run) -> tuple[Reader, float]:
    """The parent's network and temperature, if its weights are the registered ones."""
    try:
        weights = checked_content(run.parent, Artifact.Kind.SAFETENSORS)
        check_finite(weights)
    except UnsoundWeights as unsound:
        raise UnsoundWeights(f"{unsound} {remedy(run.parent)}") from unsound
    try:
        return export.network_from(weights)
    except (KeyError, RuntimeError) as other:  # names or shapes of another network
        raise UnsoundWeights(f"The weights of {run.parent} are of another network.") from other


def recipe_of(tuning: Tuning) -> Recipe:
    return Recipe(
        epochs=tuning.epochs,
        seed=tuning.seed,
        batch_size=tuning.batch_size,
        rate=tuning.rate,
        small_rate=tuning.small_rate,
        smoothing=tuning.smoothing,
        memory=tuning.memory,
        distortion=tuning.distortion,
    )


def doubted_by(network: Reader, temperature: float, digits: Digits, *, below: float) -> Tensor:
    """Which labels are the network's first or second guess, while it is not sure of them.

    A label that is neither is more often a slip of a labeler than an odd hand.
    """
    chances = (export.raw_outputs(network, digits).logits / temperature).softmax(1)
    own = chances.gather(1, digits.labels[:, None])
    return (own[:, 0] < below) & ((chances > own).sum(1) <= 1)


def rounds(
    new: Digits, doubted: Tensor, replayed: Digits, tuning: Tuning, dice: torch.Generator
) -> Sequence[Digits]:
    """The digits of each epoch: new labels, repeated, and replayed digits.

    Those that the parent doubts are repeated most; the others teach it little.
    """
    repeated = repeated_labels(new, doubted, tuning)
    drawn = strangers(round(tuning.stranger_share * tuning.digits_an_epoch), seed=tuning.seed)
    written = round(tuning.written_share * tuning.digits_an_epoch)
    if written:
        drawn = joined([drawn, written_digits(written, seed=tuning.seed)])
    rest = max(tuning.digits_an_epoch - len(repeated) - len(drawn), len(new))
    order = torch.randperm(len(replayed), generator=dice)
    if tuning.new_distortion != tuning.distortion:
        replayed = replayed.distorted_by(tuning.distortion)
        drawn = drawn.distorted_by(tuning.distortion)
    if tuning.anchor_weight:
        repeated = repeated.marked(known=False)
        replayed, drawn = replayed.marked(known=True), drawn.marked(known=True)
    turns = tuning.epochs if tuning.other_replay else 1
    size = min(rest, len(order))
    return [
        joined([repeated, drawn, replayed[order.roll(-turn * size)[:size]]])
        for turn in range(turns)
    ]


def repeated_labels(new: Digits, doubted: Tensor, tuning: Tuning) -> Digits:
    repeats = min(
        tuning.repeats, max(1, round(tuning.new_share * tuning.digits_an_epoch / len(new)))
    )
    near = new[doubted].distorted_by(tuning.doubted_distortion)
    if tuning.new_distortion != tuning.distortion:
        new = new.distorted_by(tuning.new_distortion)
    if not tuning.doubted_repeats:  # an older recipe
        return joined([new] * repeats)
    return joined([*[new[~doubted]] * repeats, *[near] * tuning.doubted_repeats])


def labels_of(run: Run) -> Digits:
    """The snapshot's glyphs with the digits they were frozen with."""
    labels = run.snapshot.labels.filter(event__prediction__erased_at__isnull=True)
    rows = labels.order_by("event_id").values_list("event__prediction__glyph", "digit")
    if not rows:
        raise NotEnoughLabels("Every drawing of this snapshot has been erased.")
    return digits_from(list(rows))


def holdout_of(run: Run) -> Digits:
    """What the snapshot of an older release held out; it helped to set the temperature."""
    frozen = run.snapshot.holdout
    rows = []
    for start in range(0, len(frozen), 500):  # databases limit the keys in a query
        part = dict(frozen[start : start + 500])
        events = LabelEvent.objects.filter(pk__in=part, prediction__erased_at__isnull=True)
        glyphs = events.order_by("pk")
        rows += [(png, part[key]) for key, png in glyphs.values_list("pk", "prediction__glyph")]
    return digits_from(rows)


def digits_from(rows: list[Any]) -> Digits:
    glyphs = [decode_glyph(bytes(png)) for png, _ in rows]
    stacked = np.stack(glyphs) if glyphs else np.zeros((0, 28, 28), np.uint8)
    labels = torch.tensor([digit for _, digit in rows], dtype=torch.int64)
    return Digits(torch.from_numpy(stacked)[:, None], labels)


def bundle_of(run: Run, lesson: Lesson) -> Bundle:
    """The trained network's files and card, named after the parent and the run."""
    card = {
        "kind": "fine-tune",
        "parent": run.parent.name,
        "run": str(run.public_id),
        "snapshot": run.snapshot.digest,
        "labels": run.snapshot.count,
        "recipe": run.recipe,
    }
    name = f"{run.parent.name.split('+')[0]}+{run.pk}"
    examined = joined([lesson.validation, holdout_of(run)])
    warmer = warmth_of_parent(run, examined) if lesson.tuning.keeps_warmth else 1.0
    return bundle(name, lesson.result(), examined, lesson.validation, card, warmer)


def warmth_of_parent(run: Run, examined: Digits) -> float:
    """The parent's temperature, over the one that these digits ask of it.

    The replay is easier to read than people's drawings: a temperature set on it alone makes a
    fine-tune surer than its parent, and wrongly so.
    """
    network, temperature = network_of_parent(run)
    return temperature / temperature_on(network, examined)


def temperature_on(network: Reader, digits: Digits) -> float:
    return calibrate.temperature(export.raw_outputs(network, digits).logits, digits.labels)


def bundle(
    name: str,
    network: Reader,
    examined: Digits,
    shown: Digits,
    card: dict[str, Any],
    warmer: float = 1.0,
) -> Bundle:
    """A network's files and card; the exported file is checked to read the same."""
    temperature = warmer * temperature_on(network, examined)
    content = export.onnx_of(network, temperature)
    difference = export.prove_equal(network, temperature, content, examined[slice(0, 1_000)])
    card = {**card, "temperature": temperature, "largest_difference": difference}
    weights = export.weights_of(network, temperature)
    return Bundle(name, content, weights, export.canary_of(content, shown), card)
