"""Django's command, which here also revokes the account's tokens."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.management.commands import changepassword
from django.contrib.auth.models import User

from predictions.access import tokens


class Command(changepassword.Command):
    help = "Set an account's password and end its tokens; asks for the new one twice."

    def handle(self, *args: Any, **options: Any) -> str:
        username = options["username"] or getpass.getuser()  # Django's default
        said = super().handle(*args, **{**options, "username": username})
        ended = tokens.revoke(User.objects.get(username=username).tokens.live())
        return f"{said}; {ended} of its tokens ended"
