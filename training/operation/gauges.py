"""Figures of runs, workers, jobs and backups, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count
from django.utils import timezone
from django_q.models import OrmQ
from prometheus_client.core import Metric

from predictions.metrics import gauge, reads
from predictions.models import WorkerBeat
from predictions.operation.health import expected_clusters
from training.models import Backup, Run


@reads
def run_gauges() -> Iterator[Metric]:
    states = gauge("runs", "Runs in each state.", ["state"])
    counts = dict(Run.objects.order_by().values_list("state").annotate(Count("pk")))
    for state in Run.State.values:
        states.add_metric([state], counts.get(state, 0))
    yield states
    progress = gauge("run_progress", "Of the run that goes on, 0 to 1.", ["run"])
    silence = gauge("run_silence_seconds", "Since the run that goes on showed life.", ["run"])
    active = Run.objects.active().values_list("pk", "progress", "heartbeat_at").first()
    if active is not None:
        key, done, at = active
        progress.add_metric([str(key)], done)
        if at is not None:
            silence.add_metric([str(key)], (timezone.now() - at).total_seconds())
    yield progress
    yield silence


@reads
def worker_gauges() -> Iterator[Metric]:
    now = timezone.now()
    seen = gauge("worker_seen_seconds", "Since the guard showed life.", ["cluster", "host"])
    worked = gauge("worker_worked_seconds", "Since a job ended there.", ["cluster", "host"])
    beats = WorkerBeat.objects.values_list("cluster", "host", "seen_at", "worked_at")
    for cluster, host, seen_at, worked_at in beats:
        seen.add_metric([cluster, host], (now - seen_at).total_seconds())
        if worked_at is not None:
            worked.add_metric([cluster, host], (now - worked_at).total_seconds())
    yield seen
    yield worked
    waiting = gauge("jobs_waiting", "Jobs nobody has taken yet.", ["cluster"])
    free = OrmQ.objects.filter(lock__lte=now).order_by().values_list("key")
    counts = dict(free.annotate(Count("pk")))
    for cluster in expected_clusters():
        waiting.add_metric([cluster], counts.get(cluster, 0))
    yield waiting


@reads
def backup_gauges() -> Iterator[Metric]:
    age = gauge("backup_age_seconds", "Since the last backup that was made began.")
    done = Backup.objects.filter(state=Backup.State.DONE)
    started_at = done.values_list("started_at", flat=True).first()
    if started_at is not None:
        age.add_metric([], (timezone.now() - started_at).total_seconds())
    yield age
