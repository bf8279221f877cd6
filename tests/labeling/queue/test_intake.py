from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from labeling.models import Intake, QueueItem, Stream
from labeling.queue import intake
from labeling.queue.intake import enqueue_new
from predictions.models import Feedback
from tests.factories import make_ada, make_feedback, make_live, make_prediction
from tests.labeling.door import Door, place


@pytest.mark.django_db
class TestTakingIn:
    def test_every_prediction_enters_once_by_its_stream(self):
        audit, plain = make_prediction(is_audit=True), make_prediction()
        assert enqueue_new() == 2
        assert enqueue_new() == 0
        assert (place(audit), place(plain)) == ((True, Stream.AUDIT), (True, Stream.UNSURE))
        chances = QueueItem.objects.order_by("pk").values_list("selection_probability", flat=True)
        assert list(chances) == [0.05, None]

    def test_the_page_sees_what_was_just_captured(self):
        ada = Door(make_ada())
        made = make_prediction()
        assert ada.item()["id"] == str(made.public_id)

    def test_a_row_that_becomes_visible_late_is_found(self, monkeypatch: Any):
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(intake, "complete_until", lambda log, since, **_: since)
            soon = make_prediction(pk=900_000)
            assert enqueue_new() == 1
            assert enqueue_new() == 0
        late = make_prediction(pk=5)  # took its key earlier, committed later
        assert enqueue_new() == 1
        assert set(QueueItem.objects.values_list("pk", flat=True)) == {late.pk, soon.pk}
        assert Intake.objects.get().last_prediction == soon.pk

    def test_more_than_one_helping_is_taken_in_at_once(self, monkeypatch: Any):
        monkeypatch.setattr(intake, "AT_ONCE", 3)
        for _ in range(8):
            make_prediction()
        assert enqueue_new() == 8
        assert QueueItem.objects.count() == 8


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_processes_that_look_at_the_same_moment_take_each_in_once():
    for _ in range(30):
        make_prediction()
    barrier = threading.Barrier(4)

    def look() -> None:
        try:
            barrier.wait(10)
            enqueue_new()
        finally:
            connection.close()

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert QueueItem.objects.filter(is_open=True).count() == 30


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_long_import_keeps_no_other_drawing_waiting_and_is_found_at_its_end():
    make_live()
    has_key, may_end = threading.Event(), threading.Event()

    def long_import() -> None:
        try:
            with transaction.atomic():
                make_prediction()
                has_key.set()
                assert may_end.wait(30)
        finally:
            connection.close()

    thread = threading.Thread(target=long_import)
    thread.start()
    assert has_key.wait(30)
    make_prediction()
    assert [enqueue_new(patience=0), enqueue_new(patience=0)] == [1, 0]
    may_end.set()
    thread.join(30)
    assert enqueue_new() == 1
    assert Intake.objects.get().last_prediction == QueueItem.objects.latest("pk").pk


@pytest.mark.django_db
class TestFeedback:
    def test_it_moves_an_open_item_and_leaves_audits_alone(self):
        audit, plain = make_prediction(is_audit=True), make_prediction()
        enqueue_new()
        for each in (audit, plain):
            make_feedback(each, 3)
        enqueue_new()
        assert (place(audit), place(plain)) == ((True, Stream.AUDIT), (True, Stream.FEEDBACK))

    def test_contradictions_come_before_confirmations_and_the_newest_first(self):
        now = timezone.now()
        made = {}
        for name, digit, age in [("yes", 7, 0), ("old no", 3, 60), ("new no", 3, 1)]:
            made[name] = make_prediction(digit=7)
            Feedback.objects.create(
                prediction=made[name], digit=digit, changed_at=now - timedelta(seconds=age)
            )
        enqueue_new()
        in_order = QueueItem.objects.order_by("rank").values_list("pk", flat=True)
        assert list(in_order) == [made[name].pk for name in ("new no", "old no", "yes")]

    def test_a_change_of_mind_moves_it_again(self):
        made = make_prediction()
        said = make_feedback(made, made.digit)
        enqueue_new()
        before = QueueItem.objects.get().rank
        Feedback.objects.filter(pk=said.pk).update(digit=3, changed_at=timezone.now())
        enqueue_new()
        assert QueueItem.objects.get().rank < before

    def test_any_number_said_in_one_moment_is_read(self, monkeypatch: Any):
        monkeypatch.setattr(intake, "AT_ONCE", 3)
        now = timezone.now()
        for _ in range(8):
            Feedback.objects.create(prediction=make_prediction(), digit=3, changed_at=now)
        enqueue_new()
        assert QueueItem.objects.filter(stream=Stream.FEEDBACK).count() == 8

    def test_an_item_that_waits_for_a_second_opinion_stays_there(self):
        made = make_prediction()
        enqueue_new()
        QueueItem.objects.update(stream=Stream.SECOND)
        make_feedback(made, 3)
        enqueue_new()
        assert place(made) == (True, Stream.SECOND)
