"""When a cluster shows life, when it is stuck, and how often it asks itself."""

from __future__ import annotations

from datetime import timedelta
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import OrmQ
from django_q.queues import Queue

from predictions.models import WorkerBeat
from training.runs import pace
from training.workers import cluster
from training.workers.cluster import STUCK_AFTER, Every, Guard, Pulse

pytestmark = pytest.mark.django_db


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1.8e9 + self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(cluster, "time", clock)
    monkeypatch.setattr(pace, "time", clock)
    monkeypatch.setattr(cluster.job_ended_at, "value", 0.0)
    # Inside a test's transaction the connection must stay.
    monkeypatch.setattr(cluster, "close_old_connections", lambda: None)
    return clock


@pytest.fixture
def guard() -> Any:
    """A guard as the pulse knows it."""
    return SimpleNamespace(
        is_at_work=False, task_queue=SimpleNamespace(qsize=lambda: 0), broker=get_broker()
    )


def free_jobs() -> int:
    return OrmQ.objects.filter(key="inkloop").count()


def take_jobs() -> None:
    """As a pusher does: locked, so nobody else takes them."""
    OrmQ.objects.update(lock=timezone.now() + timedelta(hours=1))


def test_a_beat_says_that_the_guard_lives_and_when_a_job_ended(clock: Clock, guard: Any) -> None:
    pulse = Pulse(guard)
    assert pulse.is_felt()
    beat = WorkerBeat.objects.get()
    assert beat.cluster == "inkloop"
    assert timezone.now() - beat.seen_at < timedelta(seconds=10)
    assert beat.worked_at is None
    cluster.note_end_of_job(sender="test")
    assert pulse.is_felt()
    beat.refresh_from_db()
    assert beat.worked_at is not None
    assert beat.worked_at.timestamp() == clock.time()


def test_jobs_that_wait_while_nothing_moves_mean_that_it_is_stuck(clock: Clock, guard: Any) -> None:
    pulse = Pulse(guard)
    pulse.is_felt()  # asks for a job, which nobody takes
    clock.pass_(STUCK_AFTER - 1)
    assert pulse.is_felt()
    clock.pass_(2)
    assert not pulse.is_felt()


def test_a_job_taken_and_never_begun_means_that_it_is_stuck(clock: Clock, guard: Any) -> None:
    pulse = Pulse(guard)
    pulse.is_felt()
    take_jobs()
    guard.task_queue.qsize = lambda: 1
    clock.pass_(STUCK_AFTER + 1)
    assert not pulse.is_felt()


def test_a_long_job_is_no_standstill(clock: Clock, guard: Any) -> None:
    pulse = Pulse(guard)
    pulse.is_felt()
    guard.is_at_work = True
    clock.pass_(3600)
    assert pulse.is_felt()
    guard.is_at_work = False
    clock.pass_(STUCK_AFTER - 1)
    assert pulse.is_felt()


def test_jobs_that_end_show_that_it_moves_even_when_others_wait(clock: Clock, guard: Any) -> None:
    pulse = Pulse(guard)
    for _ in range(10):
        clock.pass_(STUCK_AFTER - 1)
        cluster.note_end_of_job(sender="test")
        assert pulse.is_felt()


def test_an_idle_cluster_is_not_stuck(clock: Clock, guard: Any) -> None:
    pulse = Pulse(guard)
    pulse.is_felt()
    take_jobs()
    clock.pass_(3600)
    assert pulse.is_felt()


def test_a_database_that_does_not_answer_is_waited_for(
    clock: Clock, guard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulse = Pulse(guard)

    def refuse() -> None:
        raise OperationalError("the server closed the connection")

    with monkeypatch.context() as outage:
        outage.setattr(pulse, "write", refuse)
        clock.pass_(STUCK_AFTER * 3)
        assert pulse.is_felt()
    assert pulse.is_felt()


def test_a_cluster_that_takes_no_jobs_is_not_sent_more(clock: Clock, guard: Any) -> None:
    pulse = Pulse(guard)
    for _ in range(20):
        pulse.is_felt()
        clock.pass_(30)
    assert free_jobs() == 1


def test_a_cluster_at_work_is_not_asked_to_prove_it(clock: Clock, guard: Any) -> None:
    guard.is_at_work = True
    Pulse(guard).is_felt()
    assert free_jobs() == 0


def test_a_cluster_that_works_is_asked_again_in_a_while(clock: Clock, guard: Any) -> None:
    pulse = Pulse(guard)
    pulse.is_felt()
    OrmQ.objects.all().delete()
    pulse.is_felt()
    assert free_jobs() == 0
    clock.pass_(21)
    pulse.is_felt()
    assert free_jobs() == 1


def test_a_host_not_seen_for_a_week_is_forgotten(clock: Clock, guard: Any) -> None:
    for days in (6, 8):
        seen_at = timezone.now() - timedelta(days=days)
        WorkerBeat.objects.create(cluster="inkloop", host=f"{days} days", seen_at=seen_at)
    Pulse(guard).is_felt()
    assert not WorkerBeat.objects.filter(host="8 days").exists()
    assert WorkerBeat.objects.count() == 2


def test_every_is_true_at_once_and_then_once_in_a_while(clock: Clock) -> None:
    is_due = Every(5)
    assert [is_due(), is_due()] == [True, False]
    clock.pass_(4.9)
    assert not is_due()
    clock.pass_(0.2)
    assert is_due()


class Ended(Exception):
    pass


@pytest.mark.parametrize(("exit_code", "ends"), [(-9, True), (1, True), (0, False), (None, False)])
def test_a_guard_ends_with_a_process_that_was_killed_and_replaces_one_that_ended(
    exit_code: int | None, *, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced = []

    def end(code: int) -> None:
        assert code == cluster.ENDED_ABRUPTLY
        raise Ended

    monkeypatch.setattr(cluster.os, "_exit", end)
    monkeypatch.setattr(cluster.Sentinel, "reincarnate", lambda self, process: replaced.append(1))
    guard = Guard.__new__(Guard)
    if ends:
        with pytest.raises(Ended):
            guard.reincarnate(SimpleNamespace(exitcode=exit_code))
        assert not replaced
    else:
        guard.reincarnate(SimpleNamespace(exitcode=exit_code))
        assert replaced


def test_only_a_queue_that_exists_is_worked_on() -> None:
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("work", "nothing")


def test_a_job_that_no_worker_is_left_for_is_given_back_before_the_word_to_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = OrmQ.objects.create(key="training", payload="", lock=timezone.now() + timedelta(hours=19))
    queue = Queue(1)  # as large as the cluster's, so it is full
    queue.put({"ack_id": job.pk})

    def stop(self: Guard) -> None:
        self.task_queue.put("STOP", timeout=5.0)  # finds room, or raises Full

    monkeypatch.setattr(cluster.Sentinel, "stop", stop)
    guard = Guard.__new__(Guard)
    guard.event_out = Event()
    guard.pusher = SimpleNamespace(is_alive=lambda: False)
    guard.task_queue = queue
    guard.stop()
    assert queue.get(timeout=5.0) == "STOP"
    assert OrmQ.objects.filter(pk=job.pk, lock__lte=timezone.now()).exists()
    queue.close()
    queue.join_thread()
