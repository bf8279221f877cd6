from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labeling.decisions.decisions import Answer
from labeling.models import LabelEvent
from labeling.queue.intake import watch
from predictions.models import Prediction
from tests.factories import make_ada, make_ben, make_user
from tests.labeling.door import LABELS, Door, correct, make_gold, make_item

pytestmark = pytest.mark.django_db
PAID_FOR_BY_THE_DATABASE_ALONE = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


@contextmanager
def at_most(most: int) -> Iterator[None]:
    """Queries, besides the beginnings and ends of transactions."""
    with CaptureQueriesContext(connection) as asked:
        yield
    real = [
        query["sql"]
        for query in asked.captured_queries
        if not query["sql"].upper().startswith(PAID_FOR_BY_THE_DATABASE_ALONE)
    ]
    assert len(real) <= most, "\n".join(real)


class TestRoles:
    """Who may what stands in tests/architecture/doors.txt; here is how fast a change is felt."""

    def test_a_deactivated_labeler_is_out_at_once(self):
        user = make_ada()
        ada = Door(user)
        make_item()
        item = ada.item()
        assert "Log out" in ada.client.get("/").content.decode()
        user.is_active = False
        user.save()
        assert "Log out" not in ada.client.get("/").content.decode()
        assert ada.label(item).status_code in {401, 403}
        assert not LabelEvent.objects.exists()

    def test_who_loses_the_role_is_out_at_once(self):
        user = make_ada()
        ada = Door(user)
        make_item()
        item = ada.item()
        user.groups.clear()
        assert ada.label(item).status_code == 403

    def test_a_session_without_a_csrf_token_changes_nothing(self):
        door = Door()
        door.client = Client(enforce_csrf_checks=True)
        door.client.force_login(make_ada())
        make_item()
        assert door.next().status_code == 403

    @pytest.mark.parametrize(
        "body", [{"count": 0}, {"count": 21}, {"count": "x"}, {"holding": ["x"]}, {"holding": 7}]
    )
    def test_what_makes_no_sense_is_refused(self, body: Any):
        assert Door(make_ada()).post("next/", body).status_code == 400


class TestUnknownIds:
    """An id of nothing is not found, at every door; a 409 is about something that is here."""

    def found_nothing(self, answer: Any) -> bool:
        return (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")

    def test_an_id_of_nothing_is_not_found(self):
        ada, rita = Door(make_ada()), Door(make_user("rita", role="reviewer"))
        made, nothing = make_item(), str(uuid.uuid4())
        item = ada.item()
        assert self.found_nothing(ada.label({**item, "id": nothing}))
        assert self.found_nothing(ada.skip({**item, "id": nothing}))
        assert self.found_nothing(ada.undo(of=nothing))
        assert self.found_nothing(ada.post(f"batches/{nothing}/undo/", {}))
        assert self.found_nothing(rita.settle(nothing, 3))
        said = {"id": nothing, "token": item["token"], "digit": 3, "request_id": nothing}
        (told,) = ada.post("many/", {"labels": [said]}).json()["results"]
        assert told["error"]["code"] == "not_found"
        assert not LabelEvent.objects.exists()
        assert ada.label(item).status_code == 200
        assert made.label.digit == 7

    def test_what_is_here_and_cannot_be_changed_is_a_conflict(self):
        ada = Door(make_ada())
        assert ada.undo().status_code == 409  # nothing was said, and nothing named
        make_item()
        item = ada.item()
        assert ada.label({**item, "token": str(uuid.uuid4())}).status_code == 409


class TestQueries:
    @pytest.mark.parametrize("count", [1, 20])
    def test_next_asks_four_whatever_the_number(self, count: int):
        ada = Door(make_ada())
        for _ in range(25):
            make_item()
        ada.items()  # also looks for new predictions, which the next second does not
        with at_most(4):  # session, account, candidates, lease
            assert len(ada.items(count)) == count

    @pytest.mark.parametrize("length", [1, 20])
    def test_a_look_for_new_predictions_costs_four_more(self, length: int):
        ada = Door(make_ada())
        for _ in range(length):
            make_item()
        ada.items()
        watch.forget()
        with at_most(8):
            ada.items()

    @pytest.mark.parametrize("earlier", [0, 20])
    def test_submit_asks_eight_whatever_the_history(self, earlier: int):
        user = make_ada()
        ada = Door(user)
        made = make_item()
        for at in range(earlier):
            LabelEvent.objects.create(
                prediction=made, kind="label", digit=7, visitor=uuid.UUID(int=at)
            )
        item = ada.item()
        with at_most(8):
            assert ada.label(item).status_code == 200

    def test_sending_again_asks_four(self):
        ada = Door(make_ada())
        make_item()
        item, request_id = ada.item(), str(uuid.uuid4())
        ada.label(item, request_id=request_id)
        with at_most(4):  # session, account, item, events
            assert ada.label(item, request_id=request_id).status_code == 200


class TestProgress:
    def progress(self, door: Door) -> dict[str, Any]:
        answer = door.client.get(LABELS + "progress/")
        assert answer.status_code == 200
        return answer.json()

    def event(self, user: Any, at: datetime) -> None:
        LabelEvent.objects.create(
            prediction=make_item(), kind="label", digit=7, labeler=user, created_at=at
        )

    def test_it_counts_ones_own_labels_that_stand(self):
        user = make_ada()
        ada, bea = Door(user), Door(make_user("bea", role="labeler"))
        for _ in range(5):
            make_item()
        for item in ada.items(3):
            ada.label(item)
        bea.label(bea.item())
        ada.undo()
        found = self.progress(ada)
        assert (found["today"], found["total"], found["left"]) == (2, 2, 2)

    def test_days_in_a_row_count_as_a_streak(self):
        user = make_ada()
        now = timezone.now()
        for days in (0, 1, 2, 4):
            self.event(user, now - timedelta(days=days))
        found = self.progress(Door(user))
        assert (found["streak"], found["total"]) == (3, 4)

    def test_a_day_that_has_only_begun_does_not_break_it(self):
        user = make_ada()
        for days in (1, 2):
            self.event(user, timezone.now() - timedelta(days=days))
        assert self.progress(Door(user))["streak"] == 2

    def test_the_pace_is_that_of_the_time_at_work(self):
        user = make_ada()
        for minutes in (10, 5, 0):
            self.event(user, timezone.now() - timedelta(minutes=minutes))
        assert self.progress(Door(user))["per_hour"] == pytest.approx(18, rel=0.05)

    def test_accuracy_is_that_on_gold(self, settings: Any):
        settings.GOLD_RATE = 1.0
        user = make_ada()
        ada = Door(user)
        for at in range(3):
            make_gold(make_item(), 7 if at else 3)
        for _ in range(5):
            make_item()
        for _ in range(3):
            for item in ada.items(2):
                ada.label(item, 7)
        found = self.progress(ada)
        assert (found["gold_answered"], found["gold_right"]) == (3, 2)

    def test_a_correction_in_bulk_is_no_pace(self):
        ben = make_ben()
        make_item()
        correct(Prediction.objects.all(), Answer(3), by=ben)
        found = self.progress(Door(ben))
        assert (found["total"], found["per_hour"]) == (0, 0)
