from __future__ import annotations

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

NAME = "Q_CLUSTER_NAME"  # django-q2 reads it once, while Django starts


class Command(BaseCommand):
    help = (
        "Work on background jobs until stopped: the short ones, or those of the queue named. "
        "Ends with an error when a worker was killed or is stuck, to be started again."
    )
    # The checks would load every page and the network, which the jobs do not need.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "queue",
            nargs="?",
            default="",
            choices=["", *settings.Q_CLUSTER["ALT_CLUSTERS"]],
            help="training: for long jobs, one at a time.",
        )

    def handle(self, *args: Any, queue: str, **options: Any) -> None:
        if os.environ.get(NAME, "") != queue:
            os.environ[NAME] = queue
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
        from training.workers.cluster import run_cluster

        sys.exit(run_cluster())
