"""Counting while others write: rows become visible in another order than their keys."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from dashboard.cube import counting
from dashboard.cube.counting import catch_up, marks
from labeling.decisions.decisions import Answer, label_by_feedback
from predictions.database.append_only import inserting
from predictions.models import Owner, Prediction
from tests.dashboard.recount import check, recount, stored
from tests.factories import make_live, make_prediction, make_user

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def in_threads(*works: Callable[[], None]) -> list[BaseException]:
    failed: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as failure:
            failed.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return failed


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_a_key_taken_before_and_visible_after_a_counted_one_is_counted() -> None:
    make_live()
    is_open, may_end = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            make_prediction(digit=1)
            is_open.set()
            assert may_end.wait(30)

    def fast() -> None:
        assert is_open.wait(30)
        later = make_prediction(digit=2)
        catch_up(patience=0.05)
        assert marks().prediction < later.pk  # the lower key may yet appear
        assert stored() == {}
        may_end.set()

    assert in_threads(slow, fast) == []
    catch_up()
    assert sorted(key.predicted for key in stored()) == [1, 2]
    assert stored() == recount()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_counting_waits_for_a_short_transaction_and_makes_nobody_wait() -> None:
    make_live()
    is_open = threading.Event()
    looked = threading.Event()

    def slow() -> None:
        with transaction.atomic():
            make_prediction(digit=1)
            is_open.set()
            assert looked.wait(30)

    def count() -> None:
        assert is_open.wait(30)
        make_prediction(digit=2)
        since = inserting(Prediction)
        assert len(since) == 1
        threading.Timer(0.05, looked.set).start()
        catch_up(patience=20)
        assert sum(count for count, _ in stored().values()) == 2

    assert in_threads(slow, count) == []


def test_several_count_while_several_write_and_each_row_counts_once(monkeypatch: Any) -> None:
    monkeypatch.setattr(counting, "EVENTS_AT_ONCE", 3)
    monkeypatch.setattr(counting, "PREDICTIONS_AT_ONCE", 4)
    # Without the lease everybody works at once: the marks alone must do.
    monkeypatch.setattr(counting, "take_lease", lambda: True)
    live = make_live()
    people = [make_user(name) for name in ("ada", "eve")]
    written = threading.Event()

    def write(person: User) -> Callable[[], None]:
        def work() -> None:
            for at in range(12):
                with transaction.atomic():
                    made = [make_prediction(digit=digit, version=live) for digit in (at % 10, 7)]
                    verdict = Answer(at % 3 + 6)
                    label_by_feedback(made[1], verdict, owner=Owner(user_id=person.pk))

        return work

    def count() -> None:
        while not written.is_set():
            catch_up(patience=0.02)

    counters = [threading.Thread(target=lambda: in_threads(count)) for _ in range(2)]
    for counter in counters:
        counter.start()
    failed = in_threads(*(write(person) for person in people))
    written.set()
    for counter in counters:
        counter.join(60)
    assert failed == []
    assert Prediction.objects.count() == 48
    check()
