from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from predictions.errors import Declined
from predictions.registry import install_base


class Command(BaseCommand):
    help = (
        "Register the shipped model version; it goes live where nothing else is yet. Exit code 1 "
        "when its weights are not what they were."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            version = install_base()
        except FileNotFoundError as missing:
            raise CommandError(f"{missing.filename} is missing: get it back with git.") from missing
        except Declined as declined:
            raise CommandError(str(declined)) from declined
        self.stdout.write(f"{version} is {version.get_state_display().lower()}.")
