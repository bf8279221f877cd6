"""The doctor's checks of workers, jobs, schedules, runs, MNIST and backups."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import Min
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule

from labeling.decisions.trust import labels_to_learn_from
from labeling.models import LabelEvent
from predictions.operation import health
from predictions.operation.doctor import Finding, attention, broken, examines, moment_in_words
from training.engine.mnist import missing
from training.models import Backup, Run, Trial
from training.runs.retrain import LEAST_LABELS
from training.workers.schedules import schedules

WEDGED = timedelta(minutes=15)  # the longest that a job or a queued run should wait
SILENT = timedelta(minutes=3)  # `reap` should have found the run: it is called every minute
OVERDUE = timedelta(minutes=10)
DAY = timedelta(days=1)
BACKUP_EVERY = timedelta(hours=26)  # one is made every night and takes some time


@examines()
def workers() -> Iterator[Finding]:
    for cluster, found in health.workers_by_cluster().items():
        if found.fault not in {"", "workers_new"}:
            is_training = cluster == "training"
            yield broken(
                found.fault,
                found.said,
                why="No fine-tuning and no nightly backup."
                if is_training
                else "The queue does not take in, and a version that fails is not rolled back.",
                todo=f"Run `manage.py work{' training' * is_training}` under a supervisor that "
                "starts it again.",
            )


@examines()
def jobs() -> Iterator[Finding]:
    for cluster in health.expected_clusters():
        waiting = OrmQ.objects.filter(key=cluster, lock__lt=timezone.now() - WEDGED)
        if count := waiting.count():
            oldest = waiting.aggregate(oldest=Min("lock"))["oldest"]
            yield broken(
                "queue_wedged",
                f"{count} job{'s' * (count > 1)} of {cluster}, due since "
                f"{moment_in_words(oldest)}, not taken.",
                why="Workers are missing or stuck; everything behind waits.",
                todo=f"Restart the workers of {cluster}.",
            )
    if count := Failure.objects.filter(stopped__gte=timezone.now() - DAY).count():
        yield attention(
            "jobs_failed",
            f"{count} job{'s' * (count > 1)} failed in the last day.",
            why="What they should have done is not done.",
            todo="Read the reasons in the admin, under Failed tasks.",
        )


@examines()
def due_times() -> Iterator[Finding]:
    there = {schedule.name: schedule for schedule in Schedule.objects.all()}
    for wanted in schedules():
        name = str(wanted["name"])
        schedule = there.get(name)
        if schedule is None:
            yield broken(
                "schedule_missing",
                f"The schedule “{name}” is not there.",
                why="What it starts is never started.",
                todo="Run `manage.py setup`.",
            )
        elif schedule.repeats == 0:
            yield attention(
                "schedule_off",
                f"The schedule “{name}” is switched off: it has no repeats left.",
                why="What it starts is never started.",
                todo="If that is not meant, set its repeats to -1 in the admin.",
            )
        elif schedule.next_run and schedule.next_run < timezone.now() - OVERDUE:
            yield broken(
                "schedule_overdue",
                f"The schedule “{name}” was due at {moment_in_words(schedule.next_run)}.",
                why="No worker looks at schedules, so nothing happens by itself.",
                todo=f"Run `manage.py work{' training' if schedule.cluster else ''}`.",
            )


@examines()
def runs() -> Iterator[Finding]:
    now = timezone.now()
    silent = Run.objects.filter(state=Run.State.RUNNING, heartbeat_at__lt=now - SILENT)
    waiting = Run.objects.filter(state=Run.State.QUEUED, asked_at__lt=now - WEDGED)
    for run in (silent | waiting).defer("checkpoint", "log"):
        yield broken(
            "run_stuck",
            f"Run {run.pk} is {run.state} and shows no life.",
            why="One run at a time: no other can start.",
            todo="See that both kinds of workers run; they take it up again. Or cancel it.",
        )
    ended = Run.objects.exclude(state__in=Run.ACTIVE).values_list("state", "reason")[:3]
    if len(ended) == 3 and all(state == Run.State.FAILED for state, _ in ended):
        yield attention(
            "runs_fail",
            f"The last three runs failed; the newest: {ended[0][1]}",
            why="Nothing is learned any more.",
            todo="Read the log of the run on its page.",
        )


@examines()
def mnist_is_here() -> Iterator[Finding]:
    enough = min(LEAST_LABELS, settings.LABELS_PER_RUN)  # to start a run
    if labels_to_learn_from() >= enough and missing(Path(settings.MNIST_DIR)):
        yield attention(
            "mnist_missing",
            f"Enough labels wait for a run, and MNIST is not in {settings.MNIST_DIR}.",
            why="A run replays MNIST so as not to forget it; without a network it fails.",
            todo="Run `manage.py fetch_mnist` on the host that trains.",
        )


@examines()
def trials() -> Iterator[Finding]:
    unread = Trial.objects.under_way().filter(base__isnull=True)
    for trial in unread.filter(began_at__lt=timezone.now() - OVERDUE).select_related("candidate"):
        yield attention(
            "trial_without_mnist",
            f"{trial.candidate} is on trial, and MNIST is in no MNIST_DIR of our workers.",
            why="Nobody knows what it forgot, so it cannot go live.",
            todo="Run `manage.py fetch_mnist` on the host of the workers.",
        )


@examines()
def backups() -> Iterator[Finding]:
    now = timezone.now()
    last = Backup.objects.first()
    if last is not None and last.state == Backup.State.FAILED:
        yield broken(
            "backup_failed",
            f"The last backup failed: {last.reason}",
            why="What is lost now is lost since the one before.",
            todo="Mend the reason, then run `manage.py backup FILE`.",
        )
    first_label = LabelEvent.objects.order_by("pk").values_list("created_at", flat=True).first()
    if first_label is None or first_label > now - BACKUP_EVERY:
        return  # the labels are newer than the last nightly backup
    done = Backup.objects.filter(state=Backup.State.DONE).first()
    if done is None or done.started_at < now - BACKUP_EVERY:
        last_made = done and f"The last backup was made at {moment_in_words(done.started_at)}."
        yield attention(
            "backup_old",
            last_made or "There are labels and no backup.",
            why="People's work is lost with this disk.",
            todo="Set BACKUP_DIR to a folder on another disk; every night one is made there.",
        )
    elif done.host == socket.gethostname()[:100] and not Path(done.path).exists():
        yield broken(
            "backup_gone",
            f"The last backup, {done.path}, is not there any more.",
            why="If nobody has moved it to a safe place, there is none.",
            todo="Find it, or make another with `manage.py backup FILE`.",
        )
