from __future__ import annotations

import hashlib
import io
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser, OutputWrapper
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from predictions.access import sign_in_links
from predictions.models import ModelVersion
from training.runs.pace import Every
from training.workers.schedules import make_schedules

ADMIN = "admin"
NEWS_EVERY = 3.0  # seconds between two lines about the same step
# Never served: files of a viewer that loads from other hosts, and of DRF's browsable API.
UNUSED_STATIC = ["redoc", "rest_framework"]


class Command(BaseCommand):
    help = (
        "Make an installation ready: tables, model version, schedules, page files, first account. "
        "Safe to run again: it does what is missing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        static = parser.add_mutually_exclusive_group()
        static.add_argument(
            "--no-static",
            action="store_true",
            help="skip collecting the static files, which a container image has",
        )
        static.add_argument(
            "--only-static",
            action="store_true",
            help="skip the database, as while a container image is built",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["no_static"]:
            self.collect_static()
        if not options["only_static"]:
            self.set_up_database()

    def set_up_database(self) -> None:
        self.migrate()
        if not ModelVersion.objects.live().exists():
            call_command("install_base", stdout=self.stdout)
        make_schedules()
        self.make_first_account()
        self.print_sign_in_link()

    def migrate(self) -> None:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            self.stdout.write("Bringing the database up to date.")
            call_command("migrate", interactive=False, verbosity=0)

    def collect_static(self) -> None:
        """Collect static files if one changed; compressing them takes seconds.

        The stamp lies beside what it describes: installations may share a checkout.
        """
        if settings.DEBUG:  # they are served from their folders
            return
        stamp = Path(settings.STATIC_ROOT) / "collected_from"
        manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
        now = fingerprint_of_static()
        if stamp.exists() and stamp.read_text() == now and manifest.exists():
            return
        self.stdout.write("Collecting and compressing the files that pages load.")
        call_command(
            "collectstatic",
            interactive=False,
            verbosity=2,  # a line for each file
            stdout=Counting(self.stdout),
            clear=manifest.exists(),
            ignore_patterns=UNUSED_STATIC,
        )
        stamp.write_text(now)

    @transaction.atomic
    def make_first_account(self) -> None:
        user_model = get_user_model()
        if user_model.objects.exists():
            return
        password = secrets.token_urlsafe(15)
        user = user_model.objects.create_superuser(ADMIN, password=password)
        user.groups.add(Group.objects.get(name="admin"))
        self.stdout.write(
            "\n  There was no account yet, so one was made. Its password is shown only now:\n\n"
            f"      name      {ADMIN}\n"
            f"      password  {password}\n\n"
            "  Change it at /accounts/password/.\n"
        )

    def print_sign_in_link(self) -> None:
        """Print a link for the person at this machine; none where the installation is public."""
        if path := sign_in_links.path_for_first_admin():
            port = os.environ.get("PORT") or 8000
            self.stdout.write(
                "\n  This link signs you in as an admin, on this machine and once:\n\n"
                f"      http://127.0.0.1:{port}{path}\n"
            )


class Counting(io.StringIO):
    """Takes a command's lines and prints only how many there were, every few seconds."""

    def __init__(self, out: OutputWrapper) -> None:
        super().__init__()
        self.out, self.lines, self.is_time = out, 0, Every(NEWS_EVERY)
        self.is_time()  # nothing to say yet

    def write(self, text: str) -> int:
        self.lines += text.count("\n")
        if self.is_time():
            self.out.write(f"  {self.lines} files")
        return len(text)


def fingerprint_of_static() -> str:
    """A digest of the path, size and time of each file that collectstatic takes."""
    digest = hashlib.sha256(settings.STORAGES["staticfiles"]["BACKEND"].encode())
    for path in sorted(static_files()):
        known = path.stat()
        digest.update(f"{path} {known.st_size} {known.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def static_files() -> Iterator[Path]:
    folders = [Path(folder) for folder in settings.STATICFILES_DIRS]
    folders += [Path(app.path) / "static" for app in apps.get_app_configs()]
    for folder in folders:
        yield from (path for path in folder.rglob("*") if path.is_file())
