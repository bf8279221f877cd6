"""Background workers with heartbeats, which exit instead of hanging.

django-q2 alone can hang in two cases. If a process is killed while it holds a lock of a queue, the
others wait for that lock forever. If its sentinel is killed, the workers continue without one. Here
the guard (our sentinel) exits when one of its processes is killed or no job makes progress; the
kernel then kills the others, and a supervisor must start the cluster again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import time
import uuid
from datetime import UTC, datetime, timedelta
from queue import Empty
from typing import Any

from django.db import DatabaseError, close_old_connections, connections
from django.utils import timezone
from django_q.cluster import Sentinel, get_mp_context
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.scheduler import scheduler
from django_q.signals import post_execute_in_worker, pre_execute
from django_q.tasks import async_task
from setproctitle import setproctitle

from predictions.models import WorkerBeat
from predictions.operation import trace
from training.runs.pace import Every
from training.workers.die_with_parent import tie_forks

logger = logging.getLogger(__name__)

SCHEDULE_EVERY = 30.0  # seconds between two checks for due schedules
BEAT_EVERY = 3.0  # seconds between two heartbeats
RING_EVERY = 20.0  # seconds between two test jobs
STUCK_AFTER = 60.0  # seconds in which jobs wait, no worker is busy and no job ends
FORGET_AFTER = timedelta(days=7)  # heartbeats of a host older than this are deleted

ENDED_ABRUPTLY = 70  # exit codes of the guard
STUCK = 71

# Shared by the process that gets the signal, the guard and the workers.
told_to_stop = get_mp_context().Event()
# When a job last ended in this cluster, seconds since 1970; shared by guard and workers.
job_ended_at = get_mp_context().Value("d", 0.0, lock=False)


def note_end_of_job(sender: Any, **kwargs: Any) -> None:
    job_ended_at.value = time.time()


def note_start_of_job(sender: Any, task: dict[str, Any], **kwargs: Any) -> None:
    """Put the job's id into its log lines."""
    trace.begin_trace(f"job-{task['id']}")


def run_cluster() -> int:
    """Run this process's cluster until a signal stops it; returns the exit code."""
    # Without django-q2's two lines for each job; warnings and errors are still logged.
    logging.getLogger("django-q").setLevel(logging.WARNING)
    setproctitle(f"inkloop: work {Conf.CLUSTER_NAME}")
    pre_execute.connect(note_start_of_job)
    post_execute_in_worker.connect(note_end_of_job)
    tie_forks()
    if Conf.CLUSTER_NAME == "training":
        ring_for_waiting()
    connections.close_all()  # a fork must not share a database socket
    context = get_mp_context()
    arguments = (told_to_stop, context.Event(), uuid.uuid4())
    guard = context.Process(target=Guard, args=arguments, name="guard")
    guard.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told_to_stop.set())
    guard.join()
    ended = guard.exitcode or 0
    return ended if ended >= 0 else 128 - ended


def ring_for_waiting() -> None:
    """Enqueue jobs for queued runs, so that they start at once."""
    from training.models import Run
    from training.runs.retrain import ring_again

    try:
        ring_again(Run.objects.all())
    except DatabaseError as refused:  # the job of every minute does it later
        logger.warning("no run could be rung for: %s", refused)


class Guard(Sentinel):
    """Starts and watches the cluster's processes, and writes heartbeats."""

    def guard(self) -> None:
        setproctitle(f"inkloop: guard {Conf.CLUSTER_NAME}")
        is_time_to_beat, is_time_for_schedules = Every(BEAT_EVERY), Every(SCHEDULE_EVERY)
        self.pulse = Pulse(self)
        self.start_event.set()
        logger.info("workers of %s are ready", Conf.CLUSTER_NAME)
        while not self.stop_event.wait(Conf.GUARD_CYCLE):
            self.look_after_processes()
            if is_time_for_schedules():
                scheduler(broker=self.broker)
            if is_time_to_beat() and not self.pulse.is_felt():
                logger.error("no job of %s moved for %.0f s", Conf.CLUSTER_NAME, STUCK_AFTER)
                os._exit(STUCK)
        self.stop()

    def look_after_processes(self) -> None:
        for worker in list(self.pool):
            with worker.timer.get_lock():
                if not worker.is_alive() or worker.timer.value == 0:  # 0: timeout
                    self.reincarnate(worker)
                elif worker.timer.value > 0:
                    worker.timer.value -= Conf.GUARD_CYCLE
        for process in (self.monitor, self.pusher):
            if not process.is_alive():
                self.reincarnate(process)

    def reincarnate(self, process: Any) -> None:
        """Replace a process that ended normally; exit if one was killed, as it may hold a lock."""
        if process.exitcode:
            logger.error("a process of %s ended with %s", Conf.CLUSTER_NAME, process.exitcode)
            os._exit(ENDED_ABRUPTLY)
        super().reincarnate(process)

    def stop(self) -> None:
        """Return jobs that were taken but not started, then stop as django-q2 does.

        The queue holds one job. If it is full and no worker is left, django-q2 waits forever to add
        another job or its stop signal.
        """
        self.event_out.set()
        while self.pusher.is_alive():
            self.give_back()
        self.give_back()
        super().stop()

    def give_back(self) -> None:
        """Unlock jobs in the queue, so that other workers need not wait for `retry` seconds."""
        with contextlib.suppress(Empty):
            while True:
                job = self.task_queue.get(timeout=0.1)
                OrmQ.objects.filter(pk=job["ack_id"]).update(lock=timezone.now())

    @property
    def is_at_work(self) -> bool:
        return any(worker.timer.value > 0 for worker in self.pool)


class Pulse:
    """Whether jobs make progress, and the heartbeat row of this cluster."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.is_time_to_ring = Every(RING_EVERY)
        self.moved_at = time.monotonic()
        self.last_end = job_ended_at.value
        self.has_forgotten = False

    def is_felt(self) -> bool:
        """Write a heartbeat; False if jobs wait and none made progress for STUCK_AFTER."""
        try:
            close_old_connections()
            self.write()
            is_waiting = self.has_waiting_jobs()
            if not is_waiting and not self.guard.is_at_work and self.is_time_to_ring():
                async_task("training.tasks.beat", broker=self.guard.broker, save=False)
        except DatabaseError as refused:  # wait until the database is back
            logger.warning("no sign of life from %s: %s", Conf.CLUSTER_NAME, refused)
            self.moved_at = time.monotonic()
            return True
        return self.has_moved(is_waiting=is_waiting)

    def has_moved(self, *, is_waiting: bool) -> bool:
        now, last_end = time.monotonic(), job_ended_at.value
        if not is_waiting or self.guard.is_at_work or last_end != self.last_end:
            self.moved_at, self.last_end = now, last_end
        return now - self.moved_at < STUCK_AFTER

    def has_waiting_jobs(self) -> bool:
        """Whether jobs are free in the database, or taken by this cluster and not started."""
        waiting = OrmQ.objects.filter(key=Conf.CLUSTER_NAME, lock__lte=timezone.now())
        return self.guard.task_queue.qsize() > 0 or waiting.exists()

    def write(self) -> None:
        now, ended = timezone.now(), job_ended_at.value
        seen: dict[str, datetime] = {"seen_at": now}
        if ended:
            seen["worked_at"] = datetime.fromtimestamp(ended, UTC)
        WorkerBeat.objects.update_or_create(
            cluster=Conf.CLUSTER_NAME, host=socket.gethostname()[:100], defaults=seen
        )
        if not self.has_forgotten:
            WorkerBeat.objects.filter(seen_at__lt=now - FORGET_AFTER).delete()
            self.has_forgotten = True
