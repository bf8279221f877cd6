from __future__ import annotations

import resource
import time
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import CommandError
from tqdm import tqdm

from predictions.models import ModelVersion
from predictions.operation.json_command import DecliningCommand
from predictions.serving import registry
from training.engine import mnist
from training.workers.memory import keep_freed_memory

if TYPE_CHECKING:
    from training.engine.base import Sides, VersionFiles
    from training.engine.fit import Course, Recipe
    from training.engine.network import Reader


def checkpoint_of(recipe: Recipe) -> Path:
    from training.engine import base

    folder: Path = settings.DATA_DIR / "checkpoints"
    return folder / f"{base.recipe_digest(recipe)}.pt"


def peak_memory() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB


class Command(DecliningCommand):
    help = (
        "Train the network from nothing, on MNIST and on digits drawn by rule, and register it as "
        "a candidate. Goes on where it broke off. Exit code 1 when MNIST is missing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--quick",
            action="store_true",
            help="a short course of about three minutes; reads a little worse",
        )
        parser.add_argument(
            "--seed", type=int, default=0, help="seed; equal seeds give equal weights"
        )
        parser.add_argument("--epochs", type=int, help="number of epochs, instead of the recipe's")
        parser.add_argument("--name", help="name of the version; by default from recipe and seed")
        parser.add_argument(
            "--threads", type=int, help="number of CPU threads; by default all cores"
        )
        parser.add_argument(
            "--teachers",
            type=int,
            default=0,
            metavar="N",
            help="train N wider networks first, whose answers are targets too: many hours of a CPU",
        )
        parser.add_argument(
            "--into", type=Path, help="write the files to this folder, and register nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder = mnist.required(settings.MNIST_DIR)
        made = self.train(folder, **options)
        if options["into"] is None:
            self.register(made)

    def train(self, folder: Path, **options: Any) -> VersionFiles:
        import torch  # seconds to import, and only this command needs it

        from training.engine import base

        keep_freed_memory()
        if options["threads"]:
            torch.set_num_threads(options["threads"])
        registers = options["into"] is None
        if registers and ModelVersion.objects.filter(name=options["name"]).exists():
            raise CommandError(f"There is already a version {options['name']}.")
        recipe = replace(
            base.QUICK if options["quick"] else base.FULL,
            seed=options["seed"],
            teachers=options["teachers"],
        )
        if options["epochs"]:
            recipe = replace(recipe, epochs=options["epochs"])
        kind = "quick" if options["quick"] else "base"
        name = options["name"] or f"{kind}-seed-{recipe.seed}-{time.strftime('%Y%m%d-%H%M%S')}"
        device = "cuda" if torch.cuda.is_available() else "cpu"

        drawn = recipe.rounds * recipe.written, recipe.rounds * recipe.strangers
        self.stdout.write(f"Drawing {drawn[0]:,} digits and {drawn[1]:,} others …")
        sides = base.sides(folder, recipe)
        begun, computed = time.monotonic(), time.process_time()
        networks = []
        for number, own in enumerate(base.teachers_of(recipe), start=1):
            self.stdout.write(f"Teacher {number} of {recipe.teachers}:")
            networks.append(self.learn(base.new_course(sides.rounds, own, device), sides))
        teacher = base.teaching(networks, recipe)
        network = self.learn(base.new_course(sides.rounds, recipe, device, teacher), sides)
        self.stdout.write(
            f"Learned on {device} in {(time.monotonic() - begun) / 60:.1f} minutes, "
            f"{(time.process_time() - computed) / 60:.1f} of CPU time, "
            f"with {peak_memory() / 1e6:,.0f} MB of memory at most."
        )
        made = base.made_of(network, sides, recipe, name)
        if options["into"] is not None:
            base.write_version(made, options["into"])
        for each in (recipe, *base.teachers_of(recipe)):
            checkpoint_of(each).unlink(missing_ok=True)
        self.say(made)
        return made

    def learn(self, course: Course, sides: Sides) -> Reader:
        """Follow a course to its end, from its checkpoint if there is one."""
        from training.engine import base

        recipe = course.recipe
        checkpoint = checkpoint_of(recipe)
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        steps = len(sides.rounds[0]) // recipe.batch_size
        with tqdm(total=steps * recipe.epochs, unit="step", disable=None) as bar:
            for epoch in base.followed(course, checkpoint, bar.update):
                bar.update(steps * epoch.number - bar.n)  # with those of an earlier process
                validated = base.accuracy_of(course.result, sides.validation)
                self.stdout.write(
                    f"epoch {epoch.number:2d} of {recipe.epochs}: loss {epoch.loss:.4f}, "
                    f"accuracy {epoch.accuracy:.4f} while learning, {validated:.4f} held out"
                )
        return course.result

    def say(self, made: VersionFiles) -> None:
        test = made.card["metrics"]["mnist_test"]
        low, high = test["accuracy"]["interval"]
        self.stdout.write(
            f"MNIST test: {test['accuracy']['value']:.2%} of {test['accuracy']['n']:,} "
            f"(95%: {low:.2%} to {high:.2%}), "
            f"calibration error {test['calibration_error']:.2%}.\n"
            f"Weights {made.card['sha256']['weights.safetensors']}"
        )

    def register(self, made: VersionFiles) -> None:
        bundle = registry.Bundle(made.card["name"], made.onnx, made.weights, made.canary, made.card)
        version = registry.register(bundle)
        self.stdout.write(self.style.SUCCESS(f"Registered {version.name} as a candidate."))
