"""Everything one labeler said, withdrawn in one act and given back exactly."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from labeling.batches import batches
from labeling.batches.bulk import correct_each
from labeling.batches.rebuild import rebuild_labels
from labeling.batches.withdrawal import withdraw
from labeling.decisions import agreement
from labeling.decisions.decisions import Answer
from labeling.errors import AlreadyUndone
from labeling.models import Batch, Label, LabelEvent, QueueItem
from tests.factories import make_ada, make_ben, make_cy, make_user
from tests.labeling.digest import digest_of_what_stands
from tests.labeling.door import Door, make_gold, make_item, place

pytestmark = pytest.mark.django_db
WITHDRAW = "/api/v1/labels/withdraw/"
PAGE = "/review/withdrawals/"


@pytest.fixture
def ada() -> Any:
    """Ada has labeled three items as sevens; one of gold waits."""
    user = make_ada()
    door = Door(user)
    make_gold(make_item(), 3)
    for _ in range(3):
        make_item()
    for item in door.items(3):
        assert door.label(item).status_code == 200
    return user


@pytest.fixture
def ben() -> Any:
    return make_ben()


def open_items() -> int:
    return QueueItem.objects.filter(is_open=True).count()


class TestWithdrawing:
    def test_it_is_as_if_they_had_never_spoken(self, ada: Any, ben: Any):
        assert (Label.objects.count(), open_items()) == (3, 0)
        batch = withdraw(ada, by=ben)
        assert (batch.kind, batch.count, batch.made_by) == (Batch.Kind.WITHDRAWAL, 3, ben)
        assert (Label.objects.count(), open_items()) == (0, 3)
        assert agreement.between_labelers().labelers == []
        assert len(Door(ada).items(3)) == 3  # they may be asked again
        assert len(rebuild_labels(mend=False)) == 0

    def test_taking_it_back_leaves_no_trace_again_and_again(self, ada: Any, ben: Any):
        before, figures = digest_of_what_stands(), agreement.between_labelers()
        for _ in range(3):
            batch = withdraw(ada, by=ben)
            assert digest_of_what_stands() != before
            assert batches.undo_batch(batch, by=ben) == 3
            assert digest_of_what_stands() == before
            assert agreement.between_labelers() == figures
            with pytest.raises(AlreadyUndone):
                batches.undo_batch(batch, by=ben)

    def test_what_was_given_back_can_be_undone_by_whoever_said_it(self, ada: Any, ben: Any):
        batches.undo_batch(withdraw(ada, by=ben), by=ben)
        door = Door(ada)
        for _ in range(3):
            assert door.undo().status_code == 200
        assert door.undo().status_code == 409
        assert not Label.objects.exists()

    def test_what_others_said_stays_said(self, ada: Any, ben: Any):
        disputed = Label.objects.first()
        assert disputed is not None
        batches.restate_many([disputed.pk])
        rita = make_user("rita", role="reviewer")
        public_id = disputed.prediction.public_id
        assert Door(rita).settle(public_id, 1).status_code == 200
        withdraw(ada, by=ben)
        assert list(Label.objects.values_list("pk", "digit")) == [(disputed.pk, 1)]

    def test_a_batch_of_theirs_taken_back_meanwhile_does_not_return(self, ada: Any, ben: Any):
        item = make_item()
        mine = correct_each({item.pk: Answer(4)}, by=ada, kind=Batch.Kind.CORRECTION, chosen_by={})
        withdrawal = withdraw(ada, by=ben)
        assert batches.undo_batch(mine, by=ben) == 0
        assert batches.undo_batch(withdrawal, by=ben) == 3
        assert not Label.objects.filter(pk=item.pk).exists()

    def test_whoever_holds_an_item_meanwhile_may_answer_it(self, ada: Any, ben: Any, settings: Any):
        settings.SECOND_OPINION_RATE = 1.0
        bea = Door(make_user("bea", role="labeler"))
        contested = make_item()
        assert Door(ada).label(Door(ada).item()).status_code == 200
        held = bea.item()
        assert held["id"] == str(contested.public_id)
        withdraw(ada, by=ben)
        assert place(contested) == (True, "unsure")
        assert bea.label(held).status_code == 200

    def test_a_hold_ends_when_the_item_is_closed(self, ada: Any, ben: Any):
        batch = withdraw(ada, by=ben)
        bea = Door(make_user("bea", role="labeler"))
        held = bea.items(3)
        batches.undo_batch(batch, by=ben)
        assert not QueueItem.objects.filter(holder__isnull=False).exists()
        assert bea.keep(*(item["token"] for item in held)).json() == {"kept": []}
        assert bea.label(held[0]).status_code == 409

    def test_what_they_took_back_themselves_stays_taken_back(self, ada: Any, ben: Any):
        door = Door(ada)
        again = door.undo().json()["item"]
        assert door.label(again, 3).status_code == 200
        batch = withdraw(ada, by=ben)
        assert batch.count == 3
        assert not LabelEvent.objects.filter(reverses__kind=LabelEvent.Kind.UNDO).exists()
        batches.undo_batch(batch, by=ben)
        assert sorted(Label.objects.values_list("digit", flat=True)) == [3, 7, 7]

    def test_events_are_only_added_to(self, ada: Any, ben: Any):
        said = list(LabelEvent.objects.order_by("pk").values())
        batches.undo_batch(withdraw(ada, by=ben), by=ben)
        assert list(LabelEvent.objects.order_by("pk").values()[: len(said)]) == said
        kinds = list(LabelEvent.objects.order_by("pk").values_list("kind", flat=True))
        assert kinds == ["label"] * 3 + ["undo"] * 3 + ["redo"] * 3


class TestTheDoors:
    def post(self, user: Any, **body: Any) -> Any:
        client = Door(user).client
        return client.post(WITHDRAW, json.dumps(body), content_type="application/json")

    def test_the_endpoint_answers_with_the_batch_that_takes_it_back(self, ada: Any, ben: Any):
        told = self.post(ben, labeler="ada").json()
        assert told["withdrawn"] == 3
        assert not Label.objects.exists()
        undone = Door(ben).client.post(f"/api/v1/labels/batches/{told['batch']}/undo/")
        assert undone.json() == {"undone": 3}
        assert Label.objects.count() == 3

    def test_nobody_and_nothing_are_refused(self, ada: Any, ben: Any):
        assert self.post(ben, labeler="nobody").status_code == 404
        assert self.post(ben, labeler="ben").json()["error"]["code"] == "empty_selection"
        assert self.post(ben).status_code == 400
        assert not Batch.objects.exists()

    def test_only_who_may_correct_in_bulk_may(self, ada: Any):
        rita = make_user("rita", role="reviewer")
        for user in (ada, make_cy(), rita):
            assert self.post(user, labeler="ada").status_code == 403
            assert Door(user).client.post(PAGE, {"labeler": "ada", "sure": "on"}).status_code == 403
        assert "Withdraw" not in Door(rita).client.get("/review/agreement/").content.decode()
        assert Label.objects.count() == 3

    def test_the_page_withdraws_what_is_meant_and_gives_it_back(self, ada: Any, ben: Any):
        client = Door(ben).client
        assert PAGE in client.get("/review/agreement/").content.decode()
        page = client.post(PAGE, {"labeler": "ada"}, follow=True).content.decode()
        assert "Nothing was changed" in page
        page = client.post(PAGE, {"labeler": "ada", "sure": "on"}, follow=True).content.decode()
        assert "Withdrawn: 3 decisions." in page
        batch = Batch.objects.get()
        page = client.post(PAGE, {"batch": str(batch.pk)}, follow=True).content.decode()
        assert "Given back: 3 decisions." in page
        assert Label.objects.count() == 3
        again = client.post(PAGE, {"batch": str(batch.pk)}, follow=True).content.decode()
        assert "Nothing was changed" in again
        assert client.post(PAGE, {"batch": str(uuid.uuid4())}).status_code == 302

    def test_the_command_tells_first_and_does_it_with_yes(self, ada: Any, ben: Any, capsys: Any):
        call_command("withdraw_labels", "ada")
        assert "3 decisions would be taken back" in capsys.readouterr().out
        call_command("withdraw_labels", "ada", yes=True, by="ben", json=True)
        batch = Batch.objects.get()
        assert json.loads(capsys.readouterr().out) == {"decisions": 3, "batch": str(batch.pk)}
        for name in ("ada", "nobody"):
            with pytest.raises(CommandError):
                call_command("withdraw_labels", name, yes=True)
