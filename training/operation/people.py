"""The account that a management command acts for."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.core.management.base import CommandError, CommandParser


def add_by(parser: CommandParser) -> None:
    parser.add_argument("--by", metavar="ACCOUNT", help="user name, stored in the ledger")


def person_named(name: str | None) -> User | None:
    if name is None:
        return None
    person = User.objects.filter(username=name).first()
    if person is None:
        raise CommandError(f"There is no account {name!r}.")
    return person
