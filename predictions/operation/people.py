"""The accounts that management commands name."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.core.management.base import CommandError, CommandParser


def add_by(parser: CommandParser) -> None:
    parser.add_argument(
        "--by", metavar="ACCOUNT", help="user name of the account that is responsible"
    )


def person_named(name: str) -> User:
    person = User.objects.filter(username=name).first()
    if person is None:
        raise CommandError(f"There is no account {name!r}.")
    return person


def person_or_none(name: str | None) -> User | None:
    """Nobody where no account was named; a wrong name is refused."""
    return None if name is None else person_named(name)
