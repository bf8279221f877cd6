"""Train a base version from MNIST, digits drawn from templates, and drawings of no digit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from training.engine.calibrate import temperature
from training.engine.data import Digits, joined, mnist
from training.engine.distort import distort
from training.engine.evaluate import ReadingReport, reading_report
from training.engine.export import (
    canary_of,
    onnx_of,
    prove_equal,
    raw_outputs,
    read_by,
    weights_of,
)
from training.engine.fit import Anchor, Course, EpochResult, Recipe, as_images
from training.engine.network import WIDE, Panel, Reader
from training.engine.strangers import strangers
from training.engine.strokes import written_digits

FULL = Recipe(epochs=28, calm=0.4, stranger_weight=0.3, written=32_000, strangers=16_000, rounds=6)
QUICK = Recipe(epochs=3, written=8_000, strangers=3_000)

# People's drawings are read less surely than MNIST, and strangeness depends on how many strangers
# the course has. Both are chosen on people's strokes: `./run bench hands --half choosing`.
WARMER = 1.2  # the temperature, over that of the validation split
LESS_STRANGE = 2.2  # taken off every logit of strangeness

SPLIT_SEED = 2026  # fixed, so that every seed of a recipe holds out the same glyphs
VALIDATION_SEED = 5  # of the distortions of the validation split
EQUALITY_GLYPHS = 1000  # read by torch and ONNX Runtime to check the export


@dataclass(frozen=True, slots=True)
class Sides:
    """The train, validation and test splits."""

    rounds: list[Digits]  # the train split: the same digits of MNIST, each time other drawings
    validation: Digits  # each image twice: as it is, and distorted as in training
    test: Digits


@dataclass(frozen=True, slots=True)
class VersionFiles:
    """A version's files and its card."""

    onnx: bytes
    weights: bytes  # safetensors
    canary: dict[str, Any]
    card: dict[str, Any]


def sides(folder: Path, recipe: Recipe) -> Sides:
    """Split MNIST, and add the recipe's drawn digits to the train split."""
    known = mnist(folder, "train")
    order = torch.randperm(len(known), generator=torch.Generator().manual_seed(SPLIT_SEED))
    held, taught = known[order[: recipe.validation]], known[order[recipe.validation :]]
    rounds = [joined([taught, *drawings(recipe, number)]) for number in range(recipe.rounds)]
    return Sides(rounds, joined([held, distorted(held, recipe)]), mnist(folder, "t10k"))


def drawings(recipe: Recipe, number: int) -> list[Digits]:
    """The drawn digits, and drawings of no digit, of one round."""
    seed = recipe.seed + 1_000 * number
    drawn = []
    if recipe.written:
        drawn.append(written_digits(recipe.written, seed + 1))
    if recipe.strangers:
        drawn.append(strangers(recipe.strangers, seed + 2))
    return drawn


def distorted(digits: Digits, recipe: Recipe) -> Digits:
    """The same digits, distorted with a fixed seed."""
    chance = torch.Generator().manual_seed(VALIDATION_SEED)
    images = distort(as_images(digits.glyphs), chance, recipe.distortion)
    return Digits((images * 255).round().byte(), digits.labels)


def new_course(
    digits: Digits | list[Digits],
    recipe: Recipe,
    device: str = "cpu",
    teacher: Anchor | None = None,
) -> Course:
    """Start the training of a new network."""
    torch.manual_seed(recipe.seed)
    network = Reader(WIDE, features=64) if recipe.wide else Reader()
    return Course(network.to(device), digits, recipe, teacher=teacher)


def teachers_of(recipe: Recipe) -> list[Recipe]:
    """The recipes of the networks that teach: wide ones, each with a seed of its own."""
    return [
        replace(recipe, wide=True, teachers=0, seed=recipe.seed + 1 + number)
        for number in range(recipe.teachers)
    ]


def teaching(networks: list[Reader], recipe: Recipe) -> Anchor | None:
    """What the taught network learns from them; None without teachers."""
    return Anchor(Panel(networks), recipe.teaching) if networks else None


def followed(
    course: Course, checkpoint: Path, each_step: Callable[[], object] = lambda: None
) -> Iterator[EpochResult]:
    """Train to the end, from the checkpoint of an earlier process if there is one."""
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=course.device)
        if state["recipe"] == course.recipe.digest_text():
            course.take_up(state)
    for epoch in course.epochs(each_step):
        unfinished = checkpoint.with_suffix(".part")
        torch.save(course.state(), unfinished)
        unfinished.replace(checkpoint)  # a rename is atomic
        yield epoch


def accuracy_of(network: Reader, digits: Digits) -> float:
    read = raw_outputs(network, digits).logits.argmax(1)
    return (read == digits.labels).float().mean().item()


def made_of(network: Reader, parts: Sides, recipe: Recipe, name: str) -> VersionFiles:
    """Calibrate, export, check the export, and write the card."""
    device = next(network.parameters()).device
    network = network.cpu().eval()
    warmth = temperature(raw_outputs(network, parts.validation).logits, parts.validation.labels)
    warmth *= WARMER
    with torch.no_grad():
        network.stranger.bias.sub_(LESS_STRANGE)
    content, weights = onnx_of(network, warmth), weights_of(network, warmth)
    difference = prove_equal(network, warmth, content, parts.test[:EQUALITY_GLYPHS])
    card = {
        "name": name,
        "architecture": network.describe(),
        "parameters": network.parameters_count,
        "multiply_adds": network.multiply_adds(),
        "recipe": asdict(recipe),
        "seed": recipe.seed,
        "made_with": {  # equal seeds give equal weights only if these are equal
            "torch": torch.__version__,
            "device": device.type,
            "threads": torch.get_num_threads(),
        },
        "temperature": warmth,
        "warmer": WARMER,
        "less_strange": LESS_STRANGE,
        "learned_from": {
            "glyphs": len(parts.rounds[0]),  # of an epoch
            "rounds": len(parts.rounds),
            "mnist_held_out": recipe.validation,
        },
        "metrics": {
            "validation": evaluated(content, parts.validation).as_json(),
            "mnist_test": evaluated(content, parts.test).as_json(),
        },
        "onnx_differs_by": difference,
        "sha256": {"network.onnx": digest(content), "weights.safetensors": digest(weights)},
    }
    return VersionFiles(content, weights, canary_of(content, parts.validation), card)


def evaluated(content: bytes, digits: Digits) -> ReadingReport:
    """Evaluate the served network on these digits."""
    return reading_report(read_by(content, digits.glyphs)["probabilities"], digits.labels.numpy())


def recipe_digest(recipe: Recipe) -> str:
    """A short digest of a recipe."""
    return digest(recipe.digest_text().encode())[:16]


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def write_version(made: VersionFiles, folder: Path) -> None:
    """Write the four files of a version, as the repository ships its base."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "network.onnx").write_bytes(made.onnx)
    (folder / "weights.safetensors").write_bytes(made.weights)
    (folder / "canary.json").write_text(json.dumps(made.canary, indent=1) + "\n")
    (folder / "card.json").write_text(json.dumps(made.card, indent=1) + "\n")
