from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from predictions.access.tokens import revoke
from predictions.models import Token
from predictions.operation.json_command import TellingCommand


class Command(TellingCommand):
    help = (
        "End a token at once, or with --account every token of an account. Exit code 1 when no "
        "such token lives."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("prefix", nargs="?", help="the eight characters after ink_ of the token")
        which.add_argument("--account", help="revoke all tokens of this user")

    def handle(self, *, prefix: str | None, account: str | None, **options: Any) -> None:
        live = Token.objects.live()
        if account is not None:
            ended = revoke(live.filter(owner__username=account))
            self.tell(f"{ended} tokens of {account} ended.", ended=ended)
            return
        wanted = (prefix or "").removeprefix("ink_")[:8]
        if not revoke(live.filter(prefix=wanted)):
            raise CommandError(f"There is no live token that starts with ink_{wanted}.")
        self.tell(f"ink_{wanted}… ended.", ended=1)
