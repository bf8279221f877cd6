from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from predictions.access.tokens import make_token
from predictions.operation.json_command import TellingCommand
from predictions.operation.people import person_named


class Command(TellingCommand):
    help = (
        "Make a token with which a program works for an account, and print it once. "
        "It allows what its scopes say, and never more than the account's roles."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        scopes = list(settings.TOKEN_SCOPES)
        parser.add_argument("account", help="the user name of its owner")
        parser.add_argument("--name", required=True, help="a name for it, such as 'lab robot'")
        parser.add_argument(
            "--scope",
            action="append",
            required=True,
            choices=scopes,
            dest="scopes",
            help="a scope it gets; repeat the option for several scopes",
        )
        parser.add_argument(
            "--days",
            type=int,
            default=settings.TOKEN_DAYS,
            help=f"days until it expires, at most {settings.TOKEN_DAYS}",
        )

    def handle(
        self,
        *,
        account: str,
        name: str,
        scopes: list[str],
        days: int,
        **options: Any,
    ) -> None:
        owner = person_named(account)
        token, secret = make_token(owner, name=name, scopes=scopes, days=days)
        self.stderr.write(
            f"{token.name} may {' and '.join(token.scope_list)} for {owner} until "
            f"{token.expires_at:%Y-%m-%d}. It is shown this once:"
        )
        ends = token.expires_at.isoformat()
        self.tell(secret, token=secret, prefix=token.prefix, expires_at=ends)
