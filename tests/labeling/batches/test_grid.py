"""The grid: fifty glyphs of one guess at a glance, and back again."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from labeling.batches.bulk import set_verdict
from labeling.batches.selections import as_shown
from labeling.decisions.decisions import Answer
from labeling.models import Batch, Gold, Label, LabelEvent, QueueItem, Stream
from predictions.models import Prediction
from tests.factories import make_ada, make_ben, make_cy, make_user
from tests.labeling.door import Door, let_lease_expire, make_item, place

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Door:
    return Door(make_ada())


def grid(door: Door, digit: int = 7, count: int = 50) -> dict[str, Any]:
    answer = door.post("grid/", {"digit": digit, "count": count})
    assert answer.status_code == 200, answer.content
    return answer.json()


def shown(found: dict[str, Any]) -> list[str]:
    return [item["id"] for item in found["items"]]


def confirm(door: Door, found: dict[str, Any], **changes: Any) -> Any:
    body = {
        "digit": 7,
        "token": found["token"],
        "request_id": str(uuid.uuid4()),
        "ids": shown(found),
        "wrong": [],
    }
    return door.post("grid/confirm/", {**body, **changes})


def tables() -> tuple[list[Any], list[Any]]:
    """Everything about labels and places that an undo must give back."""
    labels = Label.objects.order_by("pk").values_list(
        "pk", "digit", "is_unreadable", "state", "opinions", "event"
    )
    items = QueueItem.objects.order_by("pk").values_list(
        "pk", "origin", "stream", "rank", "score", "is_open", "is_parked", "review_after",
        "holder", "token", "leased_until", "skips",
    )  # fmt: skip
    return list(labels), list(items)


class TestShowing:
    def test_the_surest_guesses_of_the_digit_come_first(self, ada: Door):
        unsure, surest, sure = (make_item(confidence=value) for value in (0.4, 0.99, 0.7))
        make_item(digit=3, confidence=0.999)
        found = grid(ada)
        assert shown(found) == [str(each.public_id) for each in (surest, sure, unsure)]
        assert found["items"][0]["glyph"].startswith("data:image/png;base64,")
        assert {item["token"] for item in found["items"]} == {found["token"]}

    def test_audits_gold_and_second_opinions_are_not_on_it(self, ada: Door):
        make_item(is_audit=True)
        QueueItem.objects.filter(pk=make_item().pk).update(stream=Stream.SECOND)
        gold = make_item()
        Gold.objects.create(prediction=gold, digit=7)
        QueueItem.objects.filter(pk=gold.pk).update(is_open=False, is_parked=True)
        assert grid(ada) == {"token": None, "items": []}

    def test_what_one_labeler_sees_no_other_does(self, ada: Door):
        for _ in range(4):
            make_item()
        other = Door(make_user("eve", role="labeler"))
        assert len(grid(ada, count=3)["items"]) == 3
        assert len(grid(other, count=3)["items"]) == 1

    def test_a_page_loaded_again_shows_the_same_ones(self, ada: Door):
        for _ in range(3):
            make_item()
        assert shown(grid(ada)) == shown(grid(ada))

    def test_what_somebody_passed_on_does_not_come_back_to_them(self, ada: Door):
        make_item()
        ada.skip(ada.item())
        assert grid(ada)["items"] == []

    def test_a_grid_asks_as_many_queries_for_50_as_for_1(
        self, ada: Door, django_assert_max_num_queries: Any
    ):
        for _ in range(50):
            make_item()
        grid(ada, count=1)
        with django_assert_max_num_queries(6):  # session and account, savepoint, claim, lease
            assert len(grid(ada)["items"]) == 50

    @pytest.mark.parametrize("asked", [{}, {"digit": 10}, {"digit": 7, "count": 51}])
    def test_what_is_out_of_bounds_is_refused(self, ada: Door, asked: dict[str, Any]):
        assert ada.post("grid/", asked).status_code == 400

    def test_cy_and_visitors_get_no_grid(self):
        make_item()
        for door, status in ((Door(make_cy()), 403), (Door(), 401)):
            assert door.post("grid/", {"digit": 7}).status_code == status
            assert door.post("grid/confirm/", {}).status_code == status
        assert not QueueItem.objects.filter(token__isnull=False).exists()


class TestConfirming:
    def test_the_rest_is_labeled_and_the_wrong_ones_wait_in_review(self, ada: Door):
        right, wrong = make_item(confidence=0.9), make_item(confidence=0.8)
        found = grid(ada)
        answer = confirm(ada, found, wrong=[str(wrong.public_id)])
        assert answer.status_code == 200
        assert (answer.json()["confirmed"], answer.json()["sent_back"]) == (1, 1)
        event = LabelEvent.objects.get()
        assert (event.prediction, event.digit, event.kind) == (right, 7, LabelEvent.Kind.LABEL)
        assert event.guess_shown
        assert event.batch is not None
        assert event.batch.kind == Batch.Kind.GRID
        assert (event.stream, event.score) == (Stream.UNSURE, right.queue_item.score)
        assert right.label.state == Label.State.SETTLED
        assert place(right) == (False, Stream.UNSURE)
        assert place(wrong) == (True, Stream.REVIEW)
        assert not Label.objects.filter(pk=wrong.pk).exists()

    def test_a_wrong_one_is_the_next_of_its_stream(self, ada: Door, settings: Any):
        settings.QUEUE_MIX = {**dict.fromkeys(Stream.values, 0), "review": 1}
        for _ in range(2):
            QueueItem.objects.filter(pk=make_item().pk).update(stream=Stream.REVIEW, review_after=0)
        wrong = make_item()
        confirm(ada, grid(ada), wrong=[str(wrong.public_id)])
        assert ada.item()["id"] == str(wrong.public_id)

    def test_several_wrong_ones_come_in_the_order_of_the_grid(self, ada: Door, settings: Any):
        settings.QUEUE_MIX = {**dict.fromkeys(Stream.values, 0), "review": 1}
        for _ in range(4):
            make_item()
        found = grid(ada)
        confirm(ada, found, wrong=shown(found)[1:])
        assert [item["id"] for item in ada.items(3)] == shown(found)[1:]

    def test_the_same_request_twice_is_answered_alike_and_done_once(self, ada: Door):
        make_item()
        found, request_id = grid(ada), str(uuid.uuid4())
        first = confirm(ada, found, request_id=request_id)
        again = confirm(ada, found, request_id=request_id)
        assert first.json() == again.json()
        assert LabelEvent.objects.count() == Batch.objects.count() == 1

    def test_a_request_id_of_somebody_else_is_refused(self, ada: Door):
        make_item()
        request_id = str(uuid.uuid4())
        confirm(ada, grid(ada), request_id=request_id)
        make_item()
        other = Door(make_user("eve", role="labeler"))
        assert confirm(other, grid(other), request_id=request_id).status_code == 409
        assert LabelEvent.objects.count() == 1

    def test_a_lost_lease_changes_nothing_at_all(self, ada: Door):
        kept, lost = make_item(), make_item()
        found = grid(ada)
        let_lease_expire(lost)
        before = tables()
        assert confirm(ada, found).status_code == 409
        assert tables() == before
        assert not Batch.objects.exists()
        assert kept.queue_item.token is not None

    def test_a_foreign_token_changes_nothing(self, ada: Door):
        make_item()
        found = grid(ada)
        other = Door(make_user("eve", role="labeler"))
        assert confirm(other, found).status_code == 409
        assert confirm(ada, found, token=str(uuid.uuid4())).status_code == 409
        assert confirm(ada, found, digit=3).status_code == 409
        assert not LabelEvent.objects.exists()

    def test_only_what_was_shown_can_be_wrong(self, ada: Door):
        make_item()
        answer = confirm(ada, grid(ada), wrong=[str(uuid.uuid4())])
        assert answer.status_code == 409
        assert not LabelEvent.objects.exists()

    def test_each_glyph_of_it_counts_in_the_labelers_own_figures(self, ada: Door):
        wrong, *_ = [make_item() for _ in range(4)]
        confirm(ada, grid(ada), wrong=[str(wrong.public_id)])
        found = ada.client.get("/api/v1/labels/progress/").json()
        assert (found["today"], found["total"], found["streak"]) == (3, 3, 1)
        assert found["per_hour"] == 180  # three in the least minute that counts

    def test_what_was_corrected_in_bulk_is_no_work_of_one_by_one(self):
        ben, items = make_ben(), [make_item() for _ in range(3)]
        chosen = Prediction.objects.filter(pk__in=[item.pk for item in items])
        set_verdict(as_shown(chosen), Answer(3), by=ben, chosen_by={})
        found = Door(ben).client.get("/api/v1/labels/progress/").json()
        assert (found["today"], found["total"], found["per_hour"]) == (0, 0, 0)

    def test_a_lot_calls_for_a_second_opinion_here_too(self, ada: Door, settings: Any):
        settings.SECOND_OPINION_RATE = 1.0
        make_user("bea", role="labeler")
        item = make_item()
        confirm(ada, grid(ada))
        assert item.label.state == Label.State.AWAITING
        assert place(item) == (True, Stream.SECOND)

    def test_each_glyph_draws_a_lot_of_its_own(self, ada: Door, monkeypatch: pytest.MonkeyPatch):
        lots = iter([False, True, False])
        monkeypatch.setattr("labeling.batches.grid.drawn_by_lot", lambda: next(lots))
        make_user("bea", role="labeler")
        for _ in range(3):
            make_item()
        confirm(ada, grid(ada))
        assert [*LabelEvent.objects.order_by("pk").values_list("wants_second", flat=True)] == [
            False, True, False,
        ]  # fmt: skip

    def test_confirming_costs_as_many_queries_for_50_as_for_2(
        self, ada: Door, django_assert_max_num_queries: Any
    ):
        for _ in range(50):
            make_item()
        found = grid(ada)
        with django_assert_max_num_queries(22):
            assert confirm(ada, found, wrong=shown(found)[:9]).status_code == 200


class TestUndoing:
    def undo(self, door: Door, batch: str) -> Any:
        return door.post(f"batches/{batch}/undo/", {})

    def test_undo_gives_labels_and_places_back_exactly(self, ada: Door):
        items = [make_item(confidence=0.9 - at / 100) for at in range(5)]
        found = grid(ada)
        before = tables()
        batch = confirm(ada, found, wrong=[shown(found)[1], shown(found)[4]]).json()["batch"]
        assert tables() != before
        assert self.undo(ada, batch).json() == {"undone": 3}
        labels, places = tables()
        assert labels == before[0] == []
        assert [row[:8] for row in places] == [row[:8] for row in before[1]]  # but for the leases
        assert shown(grid(ada)) == [str(item.public_id) for item in items]

    def test_what_was_decided_since_stays(self, ada: Door):
        wrong = make_item()
        batch = confirm(ada, grid(ada), wrong=[str(wrong.public_id)]).json()["batch"]
        ada.label(ada.item(), 1)
        self.undo(ada, batch)
        assert wrong.label.digit == 1
        assert place(wrong)[0] is False

    def test_a_batch_is_taken_back_once(self, ada: Door):
        make_item()
        batch = confirm(ada, grid(ada)).json()["batch"]
        assert self.undo(ada, batch).status_code == 200
        assert self.undo(ada, batch).status_code == 409
        assert LabelEvent.objects.count() == 2

    def test_nobody_but_its_maker_and_admins_take_a_grid_back(self, ada: Door):
        made: Prediction = make_item()
        batch = confirm(ada, grid(ada)).json()["batch"]
        assert self.undo(Door(make_user("eve", role="labeler")), batch).status_code == 404
        assert self.undo(Door(make_cy()), batch).status_code == 403
        assert self.undo(Door(), batch).status_code == 401
        assert Label.objects.filter(pk=made.pk).exists()
        assert self.undo(Door(make_ben()), batch).status_code == 200
        assert not Label.objects.filter(pk=made.pk).exists()
