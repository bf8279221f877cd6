"""Runs: start, work, cancel and recover them.

The row holds the state, not the job. A conditional update takes the run and counts the attempt
before any work. A heartbeat shows that the process is alive. A run without a heartbeat goes back to
the queue; after three attempts it fails.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import User
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)
from django.db.models import F, Value
from django.db.models.functions import Concat, Now
from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

from labeling.decisions.trust import have_been_learned
from predictions.database.clock import Moment
from predictions.errors import Declined
from predictions.models import ModelVersion
from predictions.operation import trace
from training.errors import AlreadyRunning, NotActive, NotEnoughLabels, NothingLive, NotWithdrawn
from training.messages.outbox import tell_run
from training.models import Epoch, Run, RunQuerySet
from training.runs.pace import Every
from training.runs.recipe import Tuning, tuning_for
from training.snapshots.lineage import Source, clean_ancestor
from training.snapshots.snapshots import Rule, choose, default_rule, freeze
from training.trials import guards, trial
from training.trials.shadow import Networks

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

MOST_ATTEMPTS = 3
HEARTBEAT = 5.0  # seconds
SHOW_EVERY = 1.0  # seconds between two updates of the progress
LEARNED, REGISTERED = 0.9, 0.95  # progress once the last epoch is done, and before MNIST is read
SILENT = timedelta(seconds=60)  # without a heartbeat, its process counts as dead
LEAST_LABELS = 20  # fewer labels would change nothing


class Canceled(Exception):
    """The run was canceled, or another process has it."""


def ask(
    *,
    trigger: str,
    by: User | None = None,
    least: int = LEAST_LABELS,
    seed: int = 0,
    without_labelers: Iterable[int] = (),
    without_visitors: Iterable[str] = (),
) -> Run:
    """Freeze the labels, create a run and enqueue its job; declined with the numbers otherwise."""
    rule = default_rule(without_labelers=without_labelers, without_visitors=without_visitors)
    return ask_with(rule, trigger=trigger, by=by, least=least, seed=seed)


def readmit(source: Source, *, trigger: str, least: int) -> Run:
    """Start a run that learns from withdrawn people again, as later runs will."""
    withdrawn = default_rule()
    is_out = {*source.labelers} & {*withdrawn.without_labelers}
    if not is_out and not {*source.visitors} & {*withdrawn.without_visitors}:
        raise NotWithdrawn("Nobody was withdrawn who could be let in again.")
    rule = default_rule(again_labelers=source.labelers, again_visitors=source.visitors)
    return ask_with(rule, trigger=trigger, by=None, least=least, seed=0)


@transaction.atomic
def ask_with(rule: Rule, *, trigger: str, by: User | None, least: int, seed: int) -> Run:
    run = queue_run(rule, trigger=trigger, by=by, least=least, seed=seed)
    enqueue_run(run)
    logger.info("run %s was asked for by the %s", run.pk, trigger)
    return run


@transaction.atomic
def queue_run(
    rule: Rule,
    *,
    trigger: str,
    by: User | None,
    least: int,
    seed: int,
    tuning: Tuning | None = None,
) -> Run:
    """Create a run without a job; the caller enqueues one or does the work itself."""
    if running := Run.objects.active().first():
        raise AlreadyRunning(f"Run {running.pk} is {running.state}; one at a time.")
    choice = choose(rule)
    if len(choice.labels) < least:
        said = f"{len(choice.labels)} labels to learn from, {least} needed."
        raise NotEnoughLabels(said)
    live = ModelVersion.objects.live().defer("canary").first()
    if live is None:
        raise NothingLive("No version is live, so there is none to learn from.")
    parent = clean_ancestor(live, rule)
    snapshot = freeze(choice, rule)
    try:
        with transaction.atomic():
            return Run.objects.create(
                trigger=trigger,
                asked_by=by,
                snapshot=snapshot,
                parent=parent,
                recipe=asdict(tuning or tuning_for(snapshot.count, seed=seed)),
                request_id=trace.current(),
            )
    except IntegrityError as raced:  # the constraint one_active_run
        raise AlreadyRunning("Another run was asked for at the same moment.") from raced


def enqueue_run(run: Run) -> None:
    """Enqueue the job of a run; in a transaction, it becomes visible at the commit."""
    async_task("training.tasks.train", run.pk, cluster="training", task_name=f"run {run.pk}")


@transaction.atomic
def cancel(run: Run) -> None:
    """Stop a run: at once if it is queued, within about a second if it is running."""
    if Run.objects.filter(pk=run.pk, state=Run.State.QUEUED).update(
        state=Run.State.CANCELED, ended_at=Moment(), reason="Canceled before it began."
    ):
        have_been_learned()
        return
    if not Run.objects.filter(pk=run.pk, state=Run.State.RUNNING).update(cancel_asked=True):
        raise NotActive(f"Run {run.pk} has ended already.")


def take(run_id: int) -> Run | None:
    """Take a queued run for this process; None if another has it, or if it has ended."""
    taken = Run.objects.filter(
        pk=run_id, state=Run.State.QUEUED, attempts__lt=MOST_ATTEMPTS
    ).update(
        state=Run.State.RUNNING,
        attempts=F("attempts") + 1,
        started_at=Moment(),
        heartbeat_at=Now(),
        host=socket.gethostname(),
        process=os.getpid(),
    )
    if not taken:
        return None
    run = Run.objects.select_related("snapshot", "parent").get(pk=run_id)
    say(run, f"Attempt {run.attempts} on {run.host}: {run.snapshot.count} labels, {run.parent}.")
    return run


def execute(run_id: int, *, watch: Callable[[float], object] = lambda done: None) -> Run | None:
    """Take a run and carry it out. Called in a process of its own.

    `watch` is called about once a second, and after each epoch, with the share that is done.
    """
    run = take(run_id)
    if run is None:
        return None
    with trace.within(run.request_id or f"run-{run.pk}"):
        run = carry_out(run, watch)
        if run.state == Run.State.DONE:
            trial.follow()  # now, also where no worker does it every minute
    return run


def carry_out(run: Run, watch: Callable[[float], object]) -> Run:
    try:
        with beating(run):
            put_on_trial(run, learn(run, watch))
    except Canceled:
        end(run, Run.State.CANCELED, reason="Canceled.")
    except Declined as declined:
        end(run, Run.State.FAILED, reason=str(declined))
    except (OperationalError, InterfaceError):
        # A database failure does not end the run: another attempt continues it.
        connection.close()
        raise
    except Exception as failed:
        # Stored as the run's reason, and raised for the log.
        end(run, Run.State.FAILED, reason=f"{type(failed).__name__}: {failed}")
        raise
    else:
        say(run, f"{time.process_time():.1f} CPU seconds in all.")
        end(run, Run.State.DONE)
    run.refresh_from_db()
    return run


def end(run: Run, state: str, *, reason: str = "") -> None:
    """End a run, if this attempt still holds it."""
    changes: dict[str, Any] = {"state": state, "ended_at": Moment(), "checkpoint": None}
    if state == Run.State.DONE:
        changes["progress"] = 1.0
    say(run, f"Ended {state}. {reason}".strip())
    with transaction.atomic():
        ended = own(run).update(reason=reason, **changes)
        if ended:
            have_been_learned()
            tell_run(run, state, reason)
    logger.info("run %s ended %s", run.pk, state if ended else "nothing: it was taken away")


def say(run: Run, line: str) -> None:
    """Add a line to the run's log, if this attempt still holds it."""
    at = timezone.localtime().strftime("%H:%M:%S")
    own(run).update(log=Concat(F("log"), Value(f"{at} {line}\n")))


def own(run: Run) -> Any:
    """The run's row, if this attempt still holds it."""
    return Run.objects.filter(pk=run.pk, state=Run.State.RUNNING, attempts=run.attempts)


def wanted(run: Run) -> Any:
    """The same, if it was not canceled."""
    return own(run).filter(cancel_asked=False)


@contextmanager
def beating(run: Run) -> Iterator[None]:
    """Send heartbeats from a thread, however long a step takes."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(HEARTBEAT):
            try:
                own(run).update(heartbeat_at=Now())
            except (DatabaseError, InterfaceError) as lost:  # the database may be restarting
                logger.warning("run %s could not show life: %s", run.pk, lost)
                connection.close()
        connection.close()

    thread = threading.Thread(target=beat, daemon=True, name="heartbeat")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def learn(run: Run, watch: Callable[[float], object] = lambda done: None) -> ModelVersion:
    """Fine-tune a copy of the parent and register it as a candidate."""
    from predictions.serving.registry import register
    from training.runs.fine_tune import bundle_of, lesson_of

    if run.version is not None:  # an earlier attempt registered it
        return run.version
    lesson = lesson_of(run)
    is_time = Every(SHOW_EVERY)

    def each_step() -> None:
        if is_time():
            show(run, LEARNED * lesson.course.done)
            watch(lesson.course.done)

    for epoch in lesson.course.epochs(each_step):
        keep_epoch(run, epoch.number, epoch.loss, epoch.accuracy)
        checkpoint(run, lesson.state(), lesson.course.done)
        watch(lesson.course.done)
    with transaction.atomic():
        version = register(bundle_of(run, lesson), parent=run.parent)
        if not wanted(run).update(version=version, progress=REGISTERED):
            raise Canceled  # also rolls back the version
    say(run, f"Registered {version}.")
    return version


def keep_epoch(run: Run, number: int, loss: float, accuracy: float) -> None:
    Epoch.objects.update_or_create(
        run=run, number=number, defaults={"loss": loss, "accuracy": accuracy}
    )
    say(run, f"Epoch {number}: loss {loss:.4f}, {accuracy:.2%} while learning.")


def checkpoint(run: Run, state: bytes, done: float) -> None:
    """Store a checkpoint for another attempt; raises Canceled if the run was canceled."""
    if not wanted(run).update(checkpoint=state, progress=LEARNED * done, heartbeat_at=Now()):
        raise Canceled


def show(run: Run, progress: float) -> None:
    """Update the progress and the heartbeat; raises Canceled if the run was canceled."""
    try:
        goes_on = wanted(run).update(progress=progress, heartbeat_at=Now())
    except (DatabaseError, InterfaceError) as lost:  # the database may be restarting
        logger.warning("run %s could not show its progress: %s", run.pk, lost)
        connection.close()
    else:
        if not goes_on:
            raise Canceled


def put_on_trial(run: Run, version: ModelVersion) -> None:
    """Read MNIST with the new version and begin its trial; a canceled run begins none."""
    live = ModelVersion.objects.live().only("pk").first()
    if version.is_live or live is None:  # an earlier attempt's version went live
        return
    is_time = Every(SHOW_EVERY)

    def each_pass() -> None:
        if is_time():
            show(run, REGISTERED)

    base = guards.measure(Networks(version.pk, live.pk), each_pass)
    with transaction.atomic():
        begun = trial.begin(version, base=base)
        if not wanted(run).update(heartbeat_at=Now()):
            raise Canceled  # also rolls back the trial
    say(run, f"{version} is on trial against {begun.against}: both read every new drawing now.")


def reap() -> list[int]:
    """Requeue or fail runs without a heartbeat; enqueue a job for a queued run that has none."""
    back = put_back(
        Run.objects.filter(state=Run.State.RUNNING, heartbeat_at__lt=Now() - SILENT),
        "fell silent",
    )
    ring_again(
        Run.objects.filter(asked_at__lt=Now() - SILENT).exclude(heartbeat_at__gt=Now() - SILENT)
    )
    return back


def ring_again(runs: RunQuerySet) -> None:
    """Enqueue a job for each of these that is queued, unless the training queue has a free job."""
    if not OrmQ.objects.filter(key="training", lock__lte=timezone.now()).exists():
        for run in runs.filter(state=Run.State.QUEUED).only("pk"):
            enqueue_run(run)


def lost(run_id: int, *, process: int) -> list[int]:
    """Requeue or fail a run whose process has ended, without waiting for its heartbeat."""
    return put_back(
        Run.objects.filter(
            pk=run_id, state=Run.State.RUNNING, host=socket.gethostname(), process=process
        ),
        "lost its process",
    )


def put_aside(run_id: int, *, process: int) -> None:
    """Requeue a run whose process was killed to stop the workers; the attempt does not count."""
    waits = Run.objects.filter(
        pk=run_id, state=Run.State.RUNNING, host=socket.gethostname(), process=process
    ).update(state=Run.State.QUEUED, attempts=F("attempts") - 1)
    if waits:
        logger.info("run %s waits for the next workers: these stop", run_id)


def put_back(gone: RunQuerySet, why: str) -> list[int]:
    """Queue these runs again with a job, or fail them after MOST_ATTEMPTS."""
    found = []
    for run in gone.defer("checkpoint"):
        # The same conditions again. An equal heartbeat is no condition: SQLite compares text, and
        # the database writes fewer digits than Python.
        still = gone.filter(pk=run.pk, attempts=run.attempts)
        if run.attempts >= MOST_ATTEMPTS:
            give_up(run, still)
        elif requeue(run, still):
            found.append(run.pk)
            logger.warning("run %s %s and goes back to the queue", run.pk, why)
    return found


@transaction.atomic
def requeue(run: Run, still: RunQuerySet) -> bool:
    done = bool(still.update(state=Run.State.QUEUED, heartbeat_at=Now()))
    if done:
        enqueue_run(run)
    return done


@transaction.atomic
def give_up(run: Run, still: RunQuerySet) -> None:
    reason = f"Its process was lost {MOST_ATTEMPTS} times."
    changes: dict[str, Any] = {"state": Run.State.FAILED, "ended_at": Moment()}
    if still.update(reason=reason, checkpoint=None, **changes):
        have_been_learned()
        tell_run(run, Run.State.FAILED, reason)
