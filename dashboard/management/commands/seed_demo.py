from __future__ import annotations

from datetime import date
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from dashboard.demo.plan import DRAWINGS
from predictions.operation.json_command import TellingCommand


class Command(TellingCommand):
    help = (
        "Make up six months of history to look at, in less than a minute: drawings, labels, three"
        " versions of which each is better. All is marked as demo; --remove takes it out."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--drawings", type=int, default=DRAWINGS, help="number of drawings")
        add("--seed", type=int, default=1, help="seed; equal seeds give equal demos")
        add(
            "--until",
            type=date.fromisoformat,
            help="the history ends before this day; by default today",
        )
        add("--force", action="store_true", help="also if people have drawn here already")
        add("--remove", action="store_true", help="remove the demo")
        with_later = "with --remove: and what people made since with the demo's versions"
        add("--with-later", action="store_true", help=with_later)

    def handle(
        self, *, drawings: int, seed: int, until: date | None, force: bool, remove: bool,
        with_later: bool, **_: Any,
    ) -> None:  # fmt: skip
        from dashboard.demo import removal, seeding  # with torch

        try:
            if remove:
                removed = removal.remove_demo(with_later=with_later)
                for name, count in removed.items():
                    self.say(f"{count:9,} {name}")
                self.tell("The demo is gone.", removed=removed)
            else:
                day = until or timezone.localdate()
                seeding.seed_demo(drawings, seed, day, force=force, told=self.progress)
                self.tell("The demo is in. seed_demo --remove takes it out.", seed=seed)
        except KeyboardInterrupt as interrupted:
            left = "the demo is still here" if remove else "nothing of the demo is left"
            raise CommandError(f"Interrupted; {left}.", returncode=130) from interrupted
