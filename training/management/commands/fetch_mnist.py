from __future__ import annotations

from typing import Any

from django.conf import settings

from predictions.operation.json_command import DecliningCommand
from training.engine import mnist


class Command(DecliningCommand):
    help = "Fetch MNIST into the data folder; safe to run twice, and goes on where it broke off."

    def handle(self, *args: Any, **options: Any) -> None:
        folder = settings.MNIST_DIR
        absent = mnist.missing(folder)
        mnist.fetch(folder)
        done = f"{len(absent)} fetched" if absent else "nothing to fetch"
        self.stdout.write(self.style.SUCCESS(f"MNIST is in {folder}, digests checked: {done}."))
