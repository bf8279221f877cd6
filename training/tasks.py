"""The jobs of background workers, called by dotted path. They take ids and return small dicts."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django_q.models import OrmQ
from django_q.tasks import async_task

from predictions.errors import Declined
from training.models import Message, Run
from training.workers.die_with_parent import LIBC, die_with

NICE = 10  # the web server has priority
SESSION_NICE = Path("/proc/self/autogroup")
LONGEST = 3 * 3600  # seconds a run may take; below the cluster's own timeout
LOOK_EVERY = 0.5  # seconds between two checks of `told_to_stop`


def beat() -> None:
    """A job that does nothing: when it ends, the cluster works."""


def train(run_id: int) -> dict[str, Any]:
    """Work on a run in a process of its own, which frees torch's memory when it ends.

    When the workers stop, the process is killed and the run goes back to the queue. The next worker
    continues after its last epoch.
    """
    from training.runs import retrain
    from training.workers.cluster import told_to_stop

    if told_to_stop.is_set():  # the next workers enqueue it again
        return outcome(run_id, None)
    parent = os.getpid()

    def apart() -> None:
        die_with(parent)
        step_back()

    with subprocess.Popen(  # noqa: S603  (our own command, a number as its argument)
        [sys.executable, "manage.py", "train_run", str(run_id)],
        cwd=settings.BASE_DIR,
        preexec_fn=apart,
        # A session of its own for `step_back`; without die_with it must stay in our group to end.
        start_new_session=LIBC is not None,
    ) as process:
        code = wait_for_exit(process, told_to_stop)
    if told_to_stop.is_set():
        retrain.put_aside(run_id, process=process.pid)
    elif code:
        retrain.lost(run_id, process=process.pid)
    return outcome(run_id, code)


def wait_for_exit(process: subprocess.Popen[bytes], told_to_stop: Event) -> int:
    """Wait for the exit code; kill the process after LONGEST, or when the workers stop."""
    until = time.monotonic() + LONGEST
    while time.monotonic() < until and not told_to_stop.is_set():
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(LOOK_EVERY)
    process.kill()
    return process.wait()


def outcome(run_id: int, code: int | None) -> dict[str, Any]:
    state = Run.objects.values_list("state", flat=True).get(pk=run_id)
    return {"run": run_id, "state": state, "exit": code}


def step_back() -> None:
    """Lower the priority of this process.

    Linux with autogroups divides processors among sessions first, and niceness counts only within a
    session. So the session's niceness is set too.
    """
    os.nice(NICE)
    with contextlib.suppress(OSError):  # a kernel without autogroups
        SESSION_NICE.write_text(str(NICE))


def deliver() -> dict[str, int]:
    """Deliver messages to webhook receivers and by mail."""
    from training.messages.outbox import deliver_due

    return deliver_due()


def every_minute() -> dict[str, Any]:
    """Maintain the queue, runs and messages; start a run when enough labels are new."""
    from labeling.queue.intake import enqueue_new
    from predictions.access import resets
    from predictions.access.limits import forget_old_counts
    from predictions.api.idempotency import forget_old_answers
    from training.messages import outbox
    from training.runs.retrain import reap

    return {
        "serving": watch_serving(),  # first, so that no failure below keeps a bad version live
        "taken_in": enqueue_new(),
        "reaped": reap(),
        "forgotten": forget_old_answers() + forget_old_counts(),
        "resets_due": resets.enqueue_links_if_due(),
        "threshold": by_threshold(),
        "told": outbox.tell_undone_batches(),
        **outbox.enqueue_delivery_if_due(),
    }


def follow_trials() -> dict[str, str]:
    """Read new drawings with the versions on trial, and act on what is decided."""
    from training.trials.trial import follow, waits_for_mnist

    told = follow()
    if waits_for_mnist() and not OrmQ.objects.filter(key="training").exists():
        async_task("training.tasks.follow_with_mnist", cluster="training")
    return told


def follow_with_mnist() -> dict[str, str]:
    """The same on the training workers, which may be the only ones with MNIST's files."""
    from training.trials.trial import follow

    return follow()


def by_threshold() -> dict[str, Any]:
    from labeling.decisions.trust import labels_to_learn_from
    from training.messages.outbox import tell
    from training.runs.retrain import ask

    found = labels_to_learn_from(exactly=True)
    if found < settings.LABELS_PER_RUN:
        return {"labels": found}
    try:
        with transaction.atomic():
            run = ask(trigger=Run.Trigger.THRESHOLD)
            data = {"labels": found, "needed": settings.LABELS_PER_RUN, "run": str(run.public_id)}
            tell(Message.Kind.THRESHOLD, f"run {run.pk}", data)
        return {"labels": found, "run": run.pk}
    except Declined as declined:
        return {"labels": found, "declined": str(declined)}


def by_schedule() -> dict[str, Any]:
    """The scheduled fine-tune: starts a run if a label is new.

    Without new labels, a candidate would only be another look, which makes the gate stricter.
    """
    from labeling.decisions.trust import labels_to_learn_from
    from training.runs.retrain import ask

    if labels_to_learn_from(exactly=True) == 0:
        return {"declined": "No label is new since the last run."}
    try:
        return {"run": ask(trigger=Run.Trigger.SCHEDULE).pk}
    except Declined as declined:
        return {"declined": str(declined)}


def nightly_backup() -> dict[str, Any]:
    """Make a backup if BACKUP_DIR is set. A failure fails the job and is noted in a Backup row."""
    from training.backup import backup

    made = backup.nightly()
    return backup.told(made) if made else {"declined": "BACKUP_DIR is not set."}


def nightly_erasure() -> dict[str, Any]:
    """Erase visitors' drawings that nobody labeled in RETENTION_DAYS."""
    from labeling.batches.erasure import erase_unlabeled

    erased = erase_unlabeled()
    return {"declined": "RETENTION_DAYS is not set."} if erased is None else {"erased": erased}


def nightly_clean_up() -> dict[str, int]:
    """Delete the readings of trials that ended."""
    from training.trials.forgetting import forget_readings

    return {"readings_forgotten": forget_readings()}


def look_at_labelers() -> dict[str, int]:
    """Renew the gold, and tell reviewers of labelers who are clearly below the others."""
    from labeling.batches import alerts, gold_items
    from training.messages import outbox

    return {**gold_items.renew_gold(), **alerts.watch_labelers(), "told": outbox.tell_alerts()}


def watch_serving() -> str:
    """Roll back a live version that does not serve."""
    from training.versions import promotion

    done = promotion.roll_back_unserved()
    return str(done) if done else "serves"
