"""The tables of the System page. Nothing here changes anything."""

from __future__ import annotations

import platform
import shutil
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db import connection
from django.db.models import Count
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.timesince import timesince
from django_q.models import OrmQ, Schedule

from labeling.models import Stream
from labeling.queue.overview import of_queue
from predictions.models import ModelVersion, WorkerBeat
from predictions.operation.health import expected_clusters
from predictions.serving.recognizer import NoModel, recognizer
from training.backup.backup import release
from training.models import Backup, Run
from training.workers.schedules import when_in_words

VERSIONS_SHOWN, RUNS_SHOWN, BACKUPS_SHOWN = 5, 5, 5
# Only listed settings are shown, so that no secret is.
SHOWN = [
    "DATA_DIR", "DEBUG", "PUBLIC", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "HTTPS", "PROXY_COUNT",
    "TIME_ZONE", "LOG_FORMAT", "ACCESS_LOG", "BACKUP_DIR", "BACKUP_KEEP", "RETENTION_DAYS",
    "AUDIT_RATE", "AUDIT_BY_CONFIDENCE", "CAPTURES_PER_MINUTE", "PREVIEWS_PER_MINUTE",
    "TRUST_FEEDBACK", "SHOW_GUESSES", "GOLD_RATE", "GOLD_FROM_AGREED", "SECOND_OPINION_RATE",
    "CONFIDENT", "LABELS_PER_RUN", "AUTO_PROMOTE", "SNAPSHOT_SOURCE_SHARE", "TRAINING_THREADS",
    "MNIST_DIR",
]  # fmt: skip
SECRETS = ["METRICS_TOKEN"]  # the page shows only whether they are set

MOMENT = timedelta(minutes=1)
Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the page."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Row]
    empty: str = "Nothing yet."


def sections() -> list[Section]:
    return [
        installation_section(),
        versions_section(),
        workers_section(),
        queue_section(),
        runs_section(),
        schedules_section(),
        backups_section(),
        settings_in_effect(),
    ]


def ago(at: datetime | None) -> str:
    """A time relative to now in words, with one unit: “3 hours ago”, “in 5 minutes”."""
    if at is None:
        return "never"
    now = timezone.now()
    if abs(at - now) < MOMENT:
        return "now"
    return f"in {timesince(now, at, depth=1)}" if at > now else f"{timesince(at, now, depth=1)} ago"


def installation_section() -> Section:
    disk = shutil.disk_usage(settings.DATA_DIR)
    try:
        serving = str(recognizer.serving().version)
    except NoModel:
        serving = "nothing"
    rows = [
        ("Release", release()),
        ("This host", f"{socket.gethostname()}, Python {platform.python_version()}"),
        ("Django", django.get_version()),
        ("Answers in this process", serving),
        ("Database", f"{connection.vendor}, {filesizeformat(database_size())}"),
        ("Disk of DATA_DIR", f"{filesizeformat(disk.free)} free of {filesizeformat(disk.total)}"),
    ]
    return Section("Installation", ["", ""], rows)


def database_size() -> int:
    """The size in bytes; for SQLite, with its write-ahead log."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            return int(cursor.fetchone()[0])
    file = Path(connection.settings_dict["NAME"])
    parts = (file, file.with_name(f"{file.name}-wal"))
    return sum(part.stat().st_size for part in parts if part.exists())


def versions_section() -> Section:
    found = ModelVersion.objects.defer("card", "canary").order_by("-pk")[:VERSIONS_SHOWN]
    rows = [(each.name, each.state, ago(each.created_at), ago(each.live_since)) for each in found]
    return Section("Model versions", ["name", "state", "made", "last went live"], rows)


def workers_section() -> Section:
    waiting = dict(OrmQ.objects.order_by().values_list("key").annotate(Count("pk")))
    seen = WorkerBeat.objects.order_by("cluster", "host")
    rows: list[Row] = [
        (beat.cluster, beat.host, ago(beat.seen_at), ago(beat.worked_at), waiting.get(beat.cluster))
        for beat in seen
    ]
    rows += [
        (cluster, "none", "never", "never", waiting.get(cluster))
        for cluster in expected_clusters()
        if cluster not in {beat.cluster for beat in seen}
    ]
    headings = ["workers", "host", "seen", "a job ended", "jobs in the queue"]
    return Section("Workers", headings, [(*row[:-1], row[-1] or 0) for row in rows])


def queue_section() -> Section:
    state = of_queue()
    rows: list[Row] = [
        (Stream(stream).label, intcomma(count)) for stream, count in state.open_by_stream.items()
    ]
    rows += [
        ("held by somebody now", intcomma(state.held)),
        ("disputed, for a reviewer", intcomma(state.disputed)),
    ]
    return Section("Labeling queue", ["stream", "waiting"], rows)


def runs_section() -> Section:
    found = Run.objects.defer("checkpoint", "log", "recipe").order_by("-pk")[:RUNS_SHOWN]
    rows = [
        (f"run {run.pk}", run.state, run.get_trigger_display(), ago(run.asked_at), run.reason)
        for run in found
    ]
    return Section("Runs", ["run", "state", "asked for by", "asked", "reason"], rows)


def schedules_section() -> Section:
    rows = [
        (each.name, when_in_words(each), ago(each.next_run))
        for each in Schedule.objects.order_by("name")
    ]
    return Section("Schedules", ["name", "when", "next"], rows)


def backups_section() -> Section:
    rows = [
        (each.path, each.state, ago(each.started_at), filesizeformat(each.size or 0), each.reason)
        for each in Backup.objects.all()[:BACKUPS_SHOWN]
    ]
    empty = "No backup was made yet. `manage.py backup FILE` makes one; BACKUP_DIR one a night."
    return Section("Backups", ["file", "state", "begun", "size", "reason"], rows, empty)


def settings_in_effect() -> Section:
    rows: list[Row] = [(name, value_said(getattr(settings, name))) for name in SHOWN]
    rows += [(name, "set" if getattr(settings, name) else "not set") for name in SECRETS]
    return Section("Settings in effect", ["name", "value"], rows)


def value_said(value: Any) -> str:
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
