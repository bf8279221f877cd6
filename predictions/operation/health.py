"""Is this process alive, and is it ready to serve?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from predictions.models import WorkerBeat
from predictions.serving.recognizer import NoModel, recognizer

State = Literal["ok", "degraded", "failed"]
WORKERS_SEEN_WITHIN = timedelta(seconds=60)
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ReadinessPart:
    """One part of readiness: its state, and a message for people."""

    state: State
    message: str


def readiness_parts() -> dict[str, ReadinessPart]:
    """Check every part of readiness; without a database the others cannot be checked."""
    database = database_part()
    if database.state == "failed":
        return {"database": database}
    found = {"database": database, "migrations": migrations_part()}
    if found["migrations"].state == "ok":
        found |= {"model": model_part(), "workers": workers_part()}
    return found


def database_part() -> ReadinessPart:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return ReadinessPart("failed", "The database does not answer.")
    return ReadinessPart("ok", f"{connection.vendor} answers.")


def migrations_part() -> ReadinessPart:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        return ReadinessPart("failed", f"{len(missing)} migrations are not applied.")
    return ReadinessPart("ok", "All migrations are applied.")


def model_part() -> ReadinessPart:
    try:
        serving = recognizer.serving()
    except NoModel as none:
        return ReadinessPart("failed", str(none))
    if faults := recognizer.faults():
        said = " ".join(faults.values())
        return ReadinessPart(
            "degraded", f"{serving.version} serves; the live version does not: {said}"
        )
    return ReadinessPart("ok", f"{serving.version} is verified and serves.")


def workers_part() -> ReadinessPart:
    """Drawing needs no workers, so without them we are degraded, not down."""
    now = timezone.now()
    seen = WorkerBeat.objects.filter(seen_at__gte=now - WORKERS_SEEN_WITHIN)
    worked: dict[str, datetime] = {}
    for cluster, worked_at in seen.values_list("cluster", "worked_at"):
        worked[cluster] = max(worked.get(cluster, NEVER), worked_at or NEVER)
    faults = [
        fault
        for cluster, longest_job in expected_clusters().items()
        if (fault := fault_of(cluster, worked.get(cluster), now - longest_job))
    ]
    if faults:
        return ReadinessPart("degraded", " ".join(faults))
    return ReadinessPart("ok", f"Jobs pass through {' and '.join(sorted(worked))}.")


def expected_clusters() -> dict[str, timedelta]:
    """The expected clusters, and how long each may be busy with one job."""
    own = {settings.Q_CLUSTER["name"]: settings.Q_CLUSTER}
    return {
        name: timedelta(seconds=cluster["timeout"]) + WORKERS_SEEN_WITHIN
        for name, cluster in {**own, **settings.Q_CLUSTER["ALT_CLUSTERS"]}.items()
    }


def fault_of(cluster: str, worked_at: datetime | None, since: datetime) -> str:
    if worked_at is None:
        return f"No worker of {cluster} was seen in the last minute: its jobs wait."
    if worked_at == NEVER:
        return f"Workers of {cluster} have started; no job has passed through them yet."
    if worked_at < since:
        return f"Workers of {cluster} are alive, but no job passes through them."
    return ""


def readiness_state(found: dict[str, ReadinessPart]) -> State:
    states = {part.state for part in found.values()}
    worst: State
    for worst in ("failed", "degraded"):
        if worst in states:
            return worst
    return "ok"
