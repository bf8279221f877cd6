from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labeling.batches import batches
from labeling.batches.bulk import set_verdict
from labeling.batches.selections import as_shown
from labeling.decisions import decisions
from labeling.decisions.decisions import Answer
from labeling.errors import AlreadyUndone, EmptySelection, LeaseLost, NothingToUndo
from labeling.models import Batch, Label, LabelEvent, QueueItem, Stream
from labeling.queue import queue
from labeling.standing import standing
from predictions.models import Prediction
from tests.factories import make_prediction, make_user, some_glyph
from tests.labeling.digest import as_standing, digest_of_what_stands
from tests.labeling.door import correct as correct_each
from tests.labeling.door import make_item, place

EVERYTHING = Prediction.objects.all()


def correct(selection: Any, digit: int | None, by: User) -> Batch:
    shown = as_shown(selection)
    return set_verdict(shown, Answer(digit), by=by, chosen_by={"digit": "7"}).batch


def label(prediction: Prediction, digit: int | None, by: User) -> None:
    token = uuid.uuid4()
    assert queue.lease(by, {prediction.pk: token}) == 1
    decisions.decide(
        prediction.public_id, Answer(digit), labeler=by, token=token, request_id=uuid.uuid4()
    )


@pytest.mark.django_db
class TestCorrecting:
    def test_everything_selected_is_corrected_as_one_batch(self):
        ben, made = make_user("ben"), [make_item() for _ in range(5)]
        label(made[0], 3, make_user("ada"))
        batch = correct(Prediction.objects.filter(pk__in=[each.pk for each in made[:3]]), 5, ben)
        assert (batch.count, batch.made_by, batch.chosen_by) == (3, ben, {"digit": "7"})
        assert set(Label.objects.values_list("pk", "digit", "state", "opinions")) == {
            (made[0].pk, 5, "settled", 1), (made[1].pk, 5, "settled", 0),
            (made[2].pk, 5, "settled", 0),
        }  # fmt: skip
        assert [place(each)[0] for each in made] == [False] * 3 + [True] * 2
        assert LabelEvent.objects.filter(batch=batch, kind="correct", labeler=ben).count() == 3

    def test_a_whole_selection_can_be_unreadable(self):
        made = make_item()
        correct(EVERYTHING, None, make_user("ben"))
        assert Label.objects.get(pk=made.pk).value == "unreadable"

    def test_a_selection_reads_as_it_stands_now(self):
        ben, made = make_user("ben"), [make_item() for _ in range(3)]
        unlabeled = Prediction.objects.filter(label__isnull=True)
        label(made[0], 3, make_user("ada"))
        assert correct(unlabeled, 5, ben).count == 2
        with pytest.raises(EmptySelection):
            correct(unlabeled, 6, ben)
        assert Label.objects.get(pk=made[0].pk).digit == 3

    def test_an_empty_selection_is_declined_and_never_means_all(self):
        make_item()
        with pytest.raises(EmptySelection):
            correct(Prediction.objects.none(), 5, make_user("ben"))
        with pytest.raises(EmptySelection):
            correct(Prediction.objects.filter(pk__in=[]), 5, make_user("bea"))
        assert not Batch.objects.exists()
        assert not LabelEvent.objects.exists()

    def test_what_the_queue_has_not_taken_in_yet_is_corrected_too(self, live_version: Any):
        made = make_prediction()
        correct(EVERYTHING, 5, make_user("ben"))
        assert Label.objects.get(pk=made.pk).digit == 5

    def test_whoever_holds_a_corrected_item_has_lost_it(self):
        made, ada = make_item(), make_user("ada")
        (held,) = queue.claim(ada)
        correct(EVERYTHING, 5, make_user("ben"))
        with pytest.raises(LeaseLost):
            decisions.decide(
                made.public_id, Answer(3), labeler=ada, token=held.token, request_id=uuid.uuid4()
            )
        assert Label.objects.get().digit == 5
        assert queue.keep(ada, [held.token]) == []  # so that the page drops it

    @pytest.mark.parametrize("count", [1, 50])
    def test_it_costs_the_same_queries_for_many(self, count: int):
        ben = make_user("ben")
        for _ in range(count):
            make_item()
        with CaptureQueriesContext(connection) as asked:
            correct(EVERYTHING, 5, ben)
        assert len(asked) <= 14


@pytest.mark.django_db
class TestTakingBack:
    def test_a_batch_taken_back_leaves_no_trace_but_its_events(self):
        ada, ben = make_user("ada"), make_user("ben")
        made = [make_item(confidence=0.99) for _ in range(6)]
        made.append(make_item(glyph=None))
        label(made[0], 7, ada)  # settled
        label(made[1], 3, ada)  # waits for a second opinion
        decisions.settle(made[2].public_id, Answer(4), reviewer=ben, request_id=uuid.uuid4())
        before = digest_of_what_stands()
        batch = correct(EVERYTHING, 5, ben)
        assert digest_of_what_stands() != before
        assert batches.undo_batch(batch, by=ben) == 7
        assert digest_of_what_stands() == before
        batch.refresh_from_db()
        assert batch.undone_by == ben
        assert LabelEvent.objects.filter(kind="undo").count() == 7

    def test_a_twin_stays_out_of_the_queue(self):
        ben = make_user("ben")
        glyph = some_glyph(3)
        make_item(glyph=glyph)
        twin = make_item(glyph=glyph)
        batches.undo_batch(correct(EVERYTHING, 5, ben), by=ben)
        assert place(twin) == (False, Stream.UNSURE)

    def test_what_was_decided_after_it_stays_decided(self):
        ben, rita = make_user("ben"), make_user("rita")
        first, second = make_item(), make_item()
        batch = correct(EVERYTHING, 5, ben)
        decisions.settle(first.public_id, Answer(4), reviewer=rita, request_id=uuid.uuid4())
        batches.undo_batch(batch, by=ben)
        assert dict(Label.objects.values_list("pk", "digit")) == {first.pk: 4}
        assert place(first)[0] is False
        assert place(second)[0] is True

    def test_a_later_batch_stays_when_the_earlier_is_taken_back(self):
        ben = make_user("ben")
        make_item()
        earlier, _later = correct(EVERYTHING, 5, ben), correct(EVERYTHING, 6, ben)
        batches.undo_batch(earlier, by=ben)
        assert Label.objects.get().digit == 6

    def test_taking_it_back_twice_is_declined(self):
        ben = make_user("ben")
        make_item()
        batch = correct(EVERYTHING, 5, ben)
        batches.undo_batch(batch, by=ben)
        before = digest_of_what_stands()
        with pytest.raises(AlreadyUndone):
            batches.undo_batch(batch, by=ben)
        assert digest_of_what_stands() == before

    def test_undoing_ones_last_decision_does_not_reach_into_a_batch(self):
        ben = make_user("ben")
        make_item()
        correct(EVERYTHING, 5, ben)
        with pytest.raises(NothingToUndo):
            decisions.undo(ben, request_id=uuid.uuid4())


def label_all(who: User) -> None:
    for at in range(8):
        for held in queue.claim(who, count=2):
            with suppress(LeaseLost):  # a correction came between
                decisions.decide(
                    held.public_id,
                    Answer(at),
                    labeler=who,
                    token=held.token,
                    request_id=uuid.uuid4(),
                )


def correct_and_take_back(who: User, digit: int) -> None:
    for _ in range(4):
        batch = correct_each(EVERYTHING.order_by("-pk"), Answer(digit), by=who)
        batches.undo_batch(batch, by=who)


def run_together(*acts: Callable[[], None]) -> list[Exception]:
    failures: list[Exception] = []

    def run(act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as failure:
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_corrections_and_decisions_at_once_leave_what_their_events_say():
    people = [make_user(f"labeler{at}") for at in range(3)]
    ben, bea = make_user("ben"), make_user("bea")
    for _ in range(30):
        make_item(confidence=0.99)
    failures = run_together(
        *[partial(label_all, who) for who in people],
        partial(correct_and_take_back, ben, 1),
        partial(correct_and_take_back, bea, 2),
    )
    assert failures == []
    labels = Label.objects.in_bulk()
    for item in QueueItem.objects.all():
        stands = standing(LabelEvent.objects.filter(prediction=item.pk).order_by("pk"))
        label = labels.get(item.pk)
        assert stands == (label and as_standing(label))
    assert LabelEvent.objects.filter(kind="correct").count() == 2 * 4 * 30
    assert not LabelEvent.objects.standing().filter(kind="correct").exists()
