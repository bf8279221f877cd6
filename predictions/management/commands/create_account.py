from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.db import IntegrityError, transaction

from predictions.access.roles import ROLES
from predictions.operation.json_command import TellingCommand


class Command(TellingCommand):
    help = (
        "Make an account with its roles, and print its password once. "
        "Exit code 1 when there is one of that name."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the user name")
        parser.add_argument(
            "--role",
            action="append",
            choices=ROLES,
            default=[],
            dest="roles",
            help="a role it gets; repeat the option for several roles",
        )
        parser.add_argument(
            "--email", default="", help="e-mail address for resetting a forgotten password"
        )
        parser.add_argument(
            "--staff", action="store_true", help="may open /admin/; the role admin always may"
        )

    @transaction.atomic
    def handle(
        self, *, name: str, roles: list[str], email: str, staff: bool, **options: Any
    ) -> None:
        password = secrets.token_urlsafe(15)
        user = User(username=name, email=email, is_staff=staff or "admin" in roles)
        user.set_password(password)
        try:
            user.full_clean()
            user.save()
        except ValidationError as refused:
            raise CommandError(" ".join(refused.messages)) from refused
        except IntegrityError as taken:  # another process made it at the same time
            raise CommandError(f"There is an account {name!r} already.") from taken
        user.groups.set(Group.objects.filter(name__in=roles))
        as_what = f", {' and '.join(sorted({*roles}))}" if roles else ", without a role"
        self.say(f"{name}{as_what}. The password is shown this once:")
        self.tell(password, account=name, roles=sorted({*roles}), password=password)
