"""How a command tells what it did: in words, or with --json as one object."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class TellingCommand(BaseCommand):
    """With --json, standard output holds one JSON object and nothing else."""

    is_json = False

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.add_argument("--json", action="store_true", help="print the result as one object")
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        self.is_json = options["json"]
        return super().execute(*args, **options)

    def say(self, words: str) -> None:
        """Something on the way to the result."""
        (self.stderr if self.is_json else self.stdout).write(words)

    def tell(self, words: str, **result: Any) -> None:
        """The result, once."""
        if self.is_json:
            self.stdout.write(json.dumps(result, default=str))
        else:
            self.stdout.write(self.style.SUCCESS(words))
