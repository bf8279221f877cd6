"""Is this process alive, and is it ready to serve?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from predictions.models import WorkerBeat
from predictions.recognizer import NoModel, recognizer

State = Literal["ok", "degraded", "failed"]
WORKERS_SEEN_WITHIN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Part:
    """One thing readiness hangs on, and how it is in words."""

    state: State
    message: str


def parts() -> dict[str, Part]:
    """Everything readiness hangs on; without a database nothing else can be asked."""
    database = database_part()
    if database.state == "failed":
        return {"database": database}
    found = {"database": database, "migrations": migrations_part()}
    if found["migrations"].state == "ok":
        found |= {"model": model_part(), "workers": workers_part()}
    return found


def database_part() -> Part:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return Part("failed", "The database does not answer.")
    return Part("ok", f"{connection.vendor} answers.")


def migrations_part() -> Part:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        return Part("failed", f"{len(missing)} migrations are not applied.")
    return Part("ok", "All migrations are applied.")


def model_part() -> Part:
    try:
        serving = recognizer.serving()
    except NoModel as none:
        return Part("failed", str(none))
    if faults := recognizer.faults():
        said = " ".join(faults.values())
        return Part("degraded", f"{serving.version} serves; the live version does not: {said}")
    return Part("ok", f"{serving.version} is verified and serves.")


def workers_part() -> Part:
    """Drawing needs no workers, so without them we are degraded, not down."""
    since = timezone.now() - WORKERS_SEEN_WITHIN
    seen = WorkerBeat.objects.filter(seen_at__gte=since).values_list("cluster", flat=True)
    clusters = sorted(set(seen))
    if not clusters:
        return Part("degraded", "No worker was seen in the last minute: jobs wait.")
    return Part("ok", f"Seen: {', '.join(clusters)}.")


def state_of(found: dict[str, Part]) -> State:
    states = {part.state for part in found.values()}
    worst: State
    for worst in ("failed", "degraded"):
        if worst in states:
            return worst
    return "ok"
