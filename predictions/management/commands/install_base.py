from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from predictions.models import ModelVersion
from predictions.operation.json_command import DecliningCommand
from predictions.serving.registry import install_base, remedy, unsoundness


class Command(DecliningCommand):
    help = (
        "Register the shipped model version, or repair it from the shipped files where its rows "
        "are unsound. It goes live where nothing else is yet; elsewhere it waits as a candidate, "
        "and what is live goes on answering. Exit code 1 when the shipped files are not what they "
        "were."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            version = install_base(tell=self.stdout.write)
        except FileNotFoundError as missing:
            raise CommandError(
                f"The shipped file {missing.filename} is missing. "
                "`git checkout predictions/base` restores it."
            ) from missing
        self.stdout.write(f"{version} is {version.get_state_display().lower()}.")
        live = ModelVersion.objects.live().get()
        if live != version and (fault := unsoundness(live)):
            self.stdout.write(f"{live} is live and unsound: {fault} {remedy(live)}")
        elif version.state == ModelVersion.State.CANDIDATE:
            self.stdout.write(
                f"{live} answers until somebody promotes {version}: "
                f"`manage.py promote {version} --why '…'`."
            )
