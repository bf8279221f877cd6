"""Is this process alive, and is it ready to serve?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
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
    missing, _ = migrations()
    if missing:
        return ReadinessPart("failed", f"{len(missing)} migrations are not applied.")
    return ReadinessPart("ok", "All migrations are applied.")


def migrations() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The migrations not applied, and those applied that this release does not know.

    Not a migration plan: it takes every migration before the last applied one as applied.
    """
    loader = MigrationLoader(connection)
    known, applied = loader.graph.nodes.keys(), loader.applied_migrations.keys()
    return sorted(known - applied), sorted(applied - known)


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
    found = workers_by_cluster().values()
    faults = [each.said for each in found if each.fault]
    said = " ".join(faults or [each.said for each in found])
    return ReadinessPart("degraded" if faults else "ok", said)


@dataclass(frozen=True, slots=True)
class Workers:
    """The workers of one cluster and what is wrong with them, for all who tell it."""

    seen_at: datetime | None  # the last sign of life
    fault: Literal["", "no_worker", "workers_new", "workers_idle"]
    said: str


def workers_by_cluster() -> dict[str, Workers]:
    """Whether the workers of each expected cluster are alive and finish jobs."""
    now = timezone.now()
    found = {}
    for cluster, longest_job in expected_clusters().items():
        beats = list(WorkerBeat.objects.filter(cluster=cluster).values_list("seen_at", "worked_at"))
        seen_at = max((seen for seen, _ in beats), default=None)
        alive = [worked or NEVER for seen, worked in beats if seen >= now - WORKERS_SEEN_WITHIN]
        worked_at = max(alive, default=None)
        found[cluster] = Workers(seen_at, *fault_of(cluster, worked_at, now - longest_job))
    return found


def expected_clusters() -> dict[str, timedelta]:
    """The expected clusters, and how long each may be busy with one job."""
    own = {settings.Q_CLUSTER["name"]: settings.Q_CLUSTER}
    return {
        name: timedelta(seconds=cluster["timeout"]) + WORKERS_SEEN_WITHIN
        for name, cluster in {**own, **settings.Q_CLUSTER["ALT_CLUSTERS"]}.items()
    }


def fault_of(cluster: str, worked_at: datetime | None, since: datetime) -> tuple[Any, str]:
    if worked_at is None:
        return "no_worker", f"No {cluster} worker was seen in the last minute, so its jobs wait."
    if worked_at == NEVER:
        said = f"The {cluster} workers have started and finished no job yet."
        return "workers_new", said
    if worked_at < since:
        return "workers_idle", f"The {cluster} workers are alive but finish no jobs."
    return "", f"The {cluster} workers finish jobs."


def readiness_state(found: dict[str, ReadinessPart]) -> State:
    states = {part.state for part in found.values()}
    worst: State
    for worst in ("failed", "degraded"):
        if worst in states:
            return worst
    return "ok"
