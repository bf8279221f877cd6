"""What commands share: a refusal is their error, and with --json they print one JSON object."""

from __future__ import annotations

import json
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from predictions.errors import Declined

EVERY = 2.0  # seconds between two lines of progress


class DecliningCommand(BaseCommand):
    """Ends with the text of a refusal, without a traceback."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except Declined as declined:
            raise CommandError(str(declined)) from declined


class TellingCommand(DecliningCommand):
    """With --json, standard output holds one JSON object and nothing else."""

    is_json = False
    began = told_at = 0.0  # by the monotonic clock
    stage = ""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.add_argument(
            "--json", action="store_true", help="print the result as one JSON object"
        )
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        self.is_json = options["json"]
        return super().execute(*args, **options)

    def say(self, words: str) -> None:
        """Write progress; with --json it goes to standard error."""
        (self.stderr if self.is_json else self.stdout).write(words)

    def progress(self, stage: str, done: float) -> None:
        """A line for each stage and every few seconds, on a terminal or not; `done` is 0 to 1."""
        now = time.monotonic()
        self.began = self.began or now
        if stage == self.stage and now - self.told_at < EVERY:
            return
        self.stage, self.told_at = stage, now
        seconds = (now - self.began) * (1 - done) / done if done > 0.05 else None
        left = "" if seconds is None else f", about {seconds:.0f} s left"
        self.say(f"{stage}: {done:.0%} of everything is done{left}.")
        (self.stderr if self.is_json else self.stdout).flush()

    def tell(self, words: str, **result: Any) -> None:
        """Write the result; call this once."""
        if self.is_json:
            self.stdout.write(json.dumps(result, default=str))
        else:
            self.stdout.write(self.style.SUCCESS(words))
