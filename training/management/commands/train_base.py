from __future__ import annotations

import time
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from predictions.errors import Declined
from predictions.models import ModelVersion
from predictions.serving import registry
from training.engine import mnist
from training.workers.memory import keep_freed_memory

if TYPE_CHECKING:
    from training.engine.base import VersionFiles


class Command(BaseCommand):
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
            "--into", type=Path, help="write the files to this folder, and register nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            folder = mnist.required(settings.MNIST_DIR)
            made = self.train(folder, **options)
            if options["into"] is None:
                self.register(made)
        except Declined as declined:
            raise CommandError(str(declined)) from declined

    def train(self, folder: Path, **options: Any) -> VersionFiles:
        import torch  # seconds to import, and only this command needs it

        from training.engine import base

        keep_freed_memory()
        if options["threads"]:
            torch.set_num_threads(options["threads"])
        registers = options["into"] is None
        if registers and ModelVersion.objects.filter(name=options["name"]).exists():
            raise CommandError(f"There is already a version {options['name']}.")
        recipe = replace(base.QUICK if options["quick"] else base.FULL, seed=options["seed"])
        if options["epochs"]:
            recipe = replace(recipe, epochs=options["epochs"])
        kind = "quick" if options["quick"] else "base"
        name = options["name"] or f"{kind}-seed-{recipe.seed}-{time.strftime('%Y%m%d-%H%M%S')}"
        device = "cuda" if torch.cuda.is_available() else "cpu"

        self.stdout.write(f"Drawing {recipe.written:,} digits and {recipe.strangers:,} others …")
        sides = base.sides(folder, recipe)
        course = base.new_course(sides.train, recipe, device)
        checkpoint = settings.DATA_DIR / "checkpoints" / f"{base.recipe_digest(recipe)}.pt"
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        steps = len(sides.train) // recipe.batch_size
        begun, computed = time.monotonic(), time.process_time()
        with tqdm(total=steps * recipe.epochs, unit="step", disable=None) as bar:
            for epoch in base.followed(course, checkpoint, bar.update):
                bar.update(steps * epoch.number - bar.n)  # with those of an earlier process
                validated = base.accuracy_of(course.result, sides.validation)
                self.stdout.write(
                    f"epoch {epoch.number:2d} of {recipe.epochs}: loss {epoch.loss:.4f}, "
                    f"accuracy {epoch.accuracy:.4f} while learning, {validated:.4f} held out"
                )
        self.stdout.write(
            f"Learned in {(time.monotonic() - begun) / 60:.1f} minutes, "
            f"{(time.process_time() - computed) / 60:.1f} of CPU time."
        )
        made = base.made_of(course.result, sides, recipe, name)
        if options["into"] is not None:
            base.write_version(made, options["into"])
        checkpoint.unlink(missing_ok=True)
        self.say(made)
        return made

    def say(self, made: VersionFiles) -> None:
        test = made.card["metrics"]["mnist_test"]
        low, high = test["accuracy"]["interval"]
        self.stdout.write(
            f"MNIST test: {test['accuracy']['value']:.2%} of {test['accuracy']['n']:,} "
            f"(95 %: {low:.2%} to {high:.2%}), "
            f"calibration error {test['calibration_error']:.2%}.\n"
            f"Weights {made.card['sha256']['weights.safetensors']}"
        )

    def register(self, made: VersionFiles) -> None:
        bundle = registry.Bundle(made.card["name"], made.onnx, made.weights, made.canary, made.card)
        version = registry.register(bundle)
        self.stdout.write(self.style.SUCCESS(f"Registered {version.name} as a candidate."))
