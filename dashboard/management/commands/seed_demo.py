from __future__ import annotations

import sys
from datetime import date
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from dashboard.demo import removal, seeding
from dashboard.demo.seeding import IN_WORDS, Told, seed_demo, steps_of
from predictions.errors import Declined
from predictions.operation.json_command import TellingCommand


class Command(TellingCommand):
    help = (
        "Make up about three months of history to look at: drawings, feedback, labels, two"
        " fine-tunes that really run. Everything is marked as demo; --remove takes it all out."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--drawings", type=int, default=6_000, help="how many to make up")
        parser.add_argument("--seed", type=int, default=1, help="equal seeds, equal demos")
        parser.add_argument(
            "--until",
            type=date.fromisoformat,
            help="the day before which it ends; today unless told",
        )
        parser.add_argument("--force", action="store_true", help="also where people drew already")
        parser.add_argument("--remove", action="store_true", help="take the demo out again")
        parser.add_argument(
            "--with-later",
            action="store_true",
            help="with --remove: and what people made since with the demo's versions",
        )

    def handle(self, *, remove: bool, **options: Any) -> None:
        try:
            if remove:
                self.remove(with_later=options["with_later"])
            else:
                self.seed(**options)
        except Declined as declined:
            raise CommandError(str(declined)) from declined

    def seed(self, *, drawings: int, seed: int, until: date | None, force: bool, **_: Any) -> None:
        with tqdm(total=steps_of(drawings), unit="step", disable=not sys.stderr.isatty()) as bar:
            demo = seed_demo(
                drawings=drawings,
                seed=seed,
                until=until or timezone.localdate(),
                force=force,
                told=Told(stage=bar.set_description, steps=bar.update),
            )
        self.say(f"What stands in for drawings: {IN_WORDS[demo.digits]}.")
        told = list(seeding.told_of(demo))
        for line in told:
            self.say(line)
        self.tell("The demo is in. seed_demo --remove takes it out.", seed=seed, told=told)

    def remove(self, *, with_later: bool) -> None:
        removed = removal.remove_demo(with_later=with_later)
        for name, count in removed.items():
            self.say(f"{count:9,} {name}")
        self.tell("The demo is gone.", removed=removed)
