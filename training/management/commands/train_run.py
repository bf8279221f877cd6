from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from training.models import Run
from training.runs.retrain import execute
from training.workers.memory import keep_freed_memory


class Command(BaseCommand):
    help = (
        "Work on one queued run in this process; the training workers start it. Exit code 1 when "
        "the run failed."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=int, help="number of the run")

    def handle(self, *args: Any, run: int, **options: Any) -> None:
        keep_freed_memory()
        done = execute(run)
        if done is None:
            self.stdout.write(f"Run {run} is not waiting: nothing to do.")
        elif done.state == Run.State.FAILED:
            raise CommandError(done.reason)
        else:
            self.stdout.write(self.style.SUCCESS(f"Run {run}: {done.state}."))
