from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from predictions.models import Token
from predictions.tokens import revoke


class Command(BaseCommand):
    help = "End a token at once, or with --account every token of an account."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("prefix", nargs="?", help="the eight characters after ink_")
        which.add_argument("--account", help="a user name: end all of its tokens")

    def handle(self, *, prefix: str | None, account: str | None, **options: Any) -> None:
        live = Token.objects.live()
        if account is not None:
            ended = revoke(live.filter(owner__username=account))
            self.stdout.write(f"{ended} tokens of {account} ended.")
            return
        wanted = (prefix or "").removeprefix("ink_")[:8]
        if not revoke(live.filter(prefix=wanted)):
            raise CommandError(f"There is no live token that starts with ink_{wanted}.")
        self.stdout.write(f"ink_{wanted}… ended.")
