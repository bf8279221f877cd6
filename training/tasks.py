"""What background workers are asked to do, by dotted path. Ids in, small dictionaries out."""

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

from predictions.errors import Declined
from training.models import Message, Run
from training.workers.die_with_parent import LIBC, die_with

NICE = 10  # leaves the web server its core
SESSION_NICE = Path("/proc/self/autogroup")
LONGEST = 3 * 3600  # seconds a run may take; the cluster's own limit lies above it
LOOK_EVERY = 0.5  # seconds between two looks at whether we are told to stop


def beat() -> None:
    """The smallest job: that it ends proves that jobs pass through its cluster."""


def train(run_id: int) -> dict[str, Any]:
    """Work on a run in a process of its own: torch and its memory end with it.

    When the workers are told to stop, the process is killed and its run waits for the next ones:
    it goes on from its last epoch, so nothing is gained by waiting for it here.
    """
    from training.runs import retrain
    from training.workers.cluster import told_to_stop

    if told_to_stop.is_set():  # the next workers ring for it again
        return outcome(run_id, None)
    parent = os.getpid()

    def apart() -> None:
        die_with(parent)
        step_back()

    with subprocess.Popen(  # noqa: S603  (our own command, a number as its argument)
        [sys.executable, "manage.py", "train_run", str(run_id)],
        cwd=settings.BASE_DIR,
        preexec_fn=apart,
        # To step back alone; but where nothing ties it to us, it must end with our group.
        start_new_session=LIBC is not None,
    ) as process:
        code = ended(process, told_to_stop)
    if told_to_stop.is_set():
        retrain.put_aside(run_id, process=process.pid)
    elif code:
        retrain.lost(run_id, process=process.pid)
    return outcome(run_id, code)


def ended(process: subprocess.Popen[bytes], told_to_stop: Event) -> int:
    """Its exit code; killed when it takes too long, or when we are told to stop."""
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
    """Let others go first.

    Linux may share its processors among sessions before it looks at processes; there niceness only
    counts within a session, and the session itself has to step back too.
    """
    os.nice(NICE)
    with contextlib.suppress(OSError):  # this kernel knows no such thing
        SESSION_NICE.write_text(str(NICE))


def deliver() -> dict[str, int]:
    """Tell other programs and people what happened."""
    from training.messages.outbox import deliver_due

    return deliver_due()


def every_minute() -> dict[str, Any]:
    """Look after the queue and the runs; start one when enough was labeled."""
    from labeling.queue.intake import take_in
    from predictions.access import resets
    from predictions.access.limits import forget_old_counts
    from predictions.api.idempotency import forget_old_answers
    from training.gate.priorities import tell_labeling
    from training.messages import outbox
    from training.runs.retrain import reap

    return {
        "serving": watch_serving(),  # first: what goes wrong below must not keep a bad one live
        "taken_in": take_in(),
        "reaped": reap(),
        "forgotten": forget_old_answers() + forget_old_counts(),
        "resets_due": resets.ring_if_due(),
        "wanted": tell_labeling(),
        "threshold": by_threshold(),
        "told": outbox.tell_undone_batches(),
        **outbox.ring_if_due(),
    }


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
    """The scheduled fine-tune: nothing new is no failure, and no reason to learn the old again.

    Each candidate is another look of the gate at the same drawings, and makes it stricter.
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
    """Where BACKUP_DIR names a folder. A failure is a failed job, and stands in a row."""
    from training.backup import backup

    made = backup.nightly()
    return backup.told(made) if made else {"declined": "BACKUP_DIR is not set."}


def nightly_erasure() -> dict[str, Any]:
    """What RETENTION_DAYS says is kept no longer."""
    from labeling.batches.erasure import erase_unlabeled

    erased = erase_unlabeled()
    return {"declined": "RETENTION_DAYS is not set."} if erased is None else {"erased": erased}


def watch_serving() -> str:
    """A live version that does not serve is rolled back."""
    from training.versions import promotion

    done = promotion.watch_serving()
    return str(done) if done else "serves"
