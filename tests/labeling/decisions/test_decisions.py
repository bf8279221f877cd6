from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from labeling.decisions import decisions
from labeling.decisions.decisions import Answer
from labeling.models import Gold, Label, LabelEvent, QueueItem, Stream
from predictions.models import Feedback
from tests.factories import make_ada, make_live, make_prediction, make_user
from tests.labeling.door import Door, let_lease_expire, make_gold, make_item, place
from tests.predictions.api.test_api import post_json

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(db: None) -> Door:
    return Door(make_ada())


@pytest.fixture
def bea(db: None) -> Door:
    return Door(make_user("bea", role="labeler"))


@pytest.fixture
def cid(db: None) -> Door:
    return Door(make_user("cid", role="labeler"))


@pytest.fixture
def rita(db: None) -> Door:
    return Door(make_user("rita", role="reviewer"))


def label_of(prediction: Any) -> tuple[str, str, int]:
    label = Label.objects.get(pk=prediction.pk)
    return label.value, label.state, label.opinions


class TestAnswering:
    def test_an_answer_becomes_the_label_and_closes_the_item(self, ada: Door):
        made = make_item()
        answer = ada.label(ada.item(), 3, seconds=2.5)
        assert answer.status_code == 200
        event = LabelEvent.objects.get()
        assert answer.json() == {
            "id": str(made.public_id),
            "event": event.pk,
            "digit": 3,
            "state": "settled",
            "guess": 7,
        }
        assert label_of(made) == ("3", "settled", 1)
        assert place(made) == (False, Stream.UNSURE)
        assert ada.items() == []

    def test_the_event_says_who_why_and_how_long(self, ada: Door):
        made = make_item(confidence=0.55, is_audit=True, audit_probability=0.05)
        ada.label(ada.item(), 3, seconds=2.5)
        event = LabelEvent.objects.select_related("labeler").get()
        assert (event.labeler.username, event.stream, event.seconds) == ("ada", "audit", 2.5)
        assert event.selection_probability == 0.05
        assert event.score == pytest.approx(0.5)
        assert event.version_id == made.version_id
        assert event.guess_shown is False

    def test_a_drawing_nobody_can_read_is_labeled_unreadable(self, ada: Door):
        made = make_item()
        assert ada.label(ada.item(), None).json()["digit"] is None
        assert label_of(made) == ("unreadable", "settled", 1)

    def test_whoever_looked_for_an_hour_was_away(self, ada: Door):
        make_item()
        ada.label(ada.item(), 7, seconds=3600)
        assert LabelEvent.objects.get().seconds == decisions.LONGEST

    @pytest.mark.parametrize("digit", [10, -1, "x", 2.5, [1]])
    def test_what_is_no_digit_is_refused(self, ada: Door, digit: Any):
        make_item()
        item = ada.item()
        assert ada.label(item, digit).status_code == 400
        assert not LabelEvent.objects.exists()
        assert ada.label(item, 1).status_code == 200

    def test_a_digit_left_out_does_not_mean_unreadable(self, ada: Door):
        make_item()
        item = ada.item()
        body = {"id": item["id"], "token": item["token"], "request_id": str(uuid.uuid4())}
        assert ada.post("", body).status_code == 400
        assert not LabelEvent.objects.exists()


class TestSendingAgain:
    def test_the_same_request_gets_the_same_answer_and_leaves_one_event(self, ada: Door):
        make_item()
        item, request_id = ada.item(), str(uuid.uuid4())
        first = ada.label(item, 3, request_id=request_id)
        second = ada.label(item, 3, request_id=request_id)
        assert (first.status_code, first.json()) == (second.status_code, second.json())
        assert LabelEvent.objects.count() == 1

    def test_it_does_so_after_the_label_moved_on(self, ada: Door, bea: Door, settings: Any):
        settings.SECOND_OPINION_RATE = 1.0
        make_item()
        item, request_id = ada.item(), str(uuid.uuid4())
        first = ada.label(item, 3, request_id=request_id)
        bea.label(bea.item(), 3)
        assert first.json()["state"] == "awaiting"
        assert ada.label(item, 3, request_id=request_id).json() == first.json()
        assert LabelEvent.objects.count() == 2

    def test_somebody_elses_request_id_is_refused(self, ada: Door, bea: Door):
        make_item(), make_item()
        request_id = str(uuid.uuid4())
        first, second = ada.item(), bea.item()
        assert ada.label(first, 3, request_id=request_id).status_code == 200
        assert bea.label(second, 3, request_id=request_id).status_code == 409
        assert LabelEvent.objects.count() == 1
        assert bea.label(second, 3).status_code == 200

    def test_nor_may_it_be_used_to_say_the_same_of_the_same_item(
        self, ada: Door, bea: Door, settings: Any
    ):
        settings.SECOND_OPINION_RATE = 1.0
        make_item()
        request_id = str(uuid.uuid4())
        assert ada.label(ada.item(), 3, request_id=request_id).status_code == 200
        assert bea.label(bea.item(), 3, request_id=request_id).status_code == 409
        assert LabelEvent.objects.count() == 1

    def test_a_request_id_is_good_for_one_answer_alone(self, ada: Door):
        make_item(), make_item()
        first, second = ada.items(2)
        request_id = str(uuid.uuid4())
        ada.label(first, 3, request_id=request_id)
        for item, digit in ((second, 3), (first, 4)):
            answer = ada.label(item, digit, request_id=request_id)
            assert answer.status_code == 409
            assert answer.json()["error"]["code"] == "changed_meanwhile"
        assert ada.undo(uuid.UUID(request_id)).status_code == 409
        assert LabelEvent.objects.get().digit == 3
        assert ada.label(second, 3).status_code == 200

    def test_an_undo_sent_twice_undoes_once(self, ada: Door):
        for _ in range(2):
            make_item()
        for item in ada.items(2):
            ada.label(item)
        request_id = uuid.uuid4()
        first, second = ada.undo(request_id).json(), ada.undo(request_id).json()
        assert first["event"] == second["event"]
        assert first["item"] == second["item"]  # the hold included
        assert LabelEvent.objects.standing().count() == 1

    def test_undos_take_back_the_newest_answer_first(self, ada: Door):
        made = [make_item() for _ in range(3)]
        for item in ada.items(3):
            ada.label(item)
        order = list(LabelEvent.objects.order_by("-pk").values_list("prediction", flat=True))
        for left in (2, 1):
            undone = ada.undo().json()["item"]["id"]
            assert undone == str(next(e.public_id for e in made if e.pk == order[2 - left]))
            assert Label.objects.count() == left

    def test_an_old_undo_sent_again_does_not_hand_the_item_out(
        self, ada: Door, bea: Door, settings: Any
    ):
        settings.SECOND_OPINION_RATE = 1.0
        make_item()
        ada.label(ada.item())
        request_id = uuid.uuid4()
        again = ada.undo(request_id).json()["item"]
        assert ada.label(again).json()["state"] == "awaiting"
        assert ada.undo(request_id).json()["item"] is None
        assert QueueItem.objects.get().token is None

    def test_a_ruling_sent_twice_counts_once(self, rita: Door):
        made, request_id = make_item(), uuid.uuid4()
        first = rita.settle(made.public_id, 3, request_id)
        assert first.json() == rita.settle(made.public_id, 3, request_id).json()
        assert rita.settle(made.public_id, 4, request_id).status_code == 409
        assert LabelEvent.objects.count() == 1


class TestOpinions:
    def test_one_is_enough_where_model_and_labeler_agree(self, ada: Door):
        made = make_item(confidence=0.99)
        assert ada.label(ada.item(), 7).json()["state"] == "settled"
        assert place(made)[0] is False

    def test_contradicting_a_confident_model_asks_a_second(self, ada: Door, bea: Door):
        made = make_item(confidence=0.99)
        assert ada.label(ada.item(), 3).json()["state"] == "awaiting"
        assert place(made) == (True, Stream.SECOND)
        assert ada.items() == []  # nobody is asked twice
        item = bea.item()
        assert bea.label(item, 3).json()["state"] == "settled"
        assert label_of(made) == ("3", "settled", 2)
        assert place(made) == (False, Stream.UNSURE)  # no longer among second opinions

    def test_contradicting_an_unsure_model_does_not(self, ada: Door):
        make_item(confidence=0.94)
        assert ada.label(ada.item(), 3).json()["state"] == "settled"

    def test_whoever_labels_alone_waits_for_nobody(self, ada: Door, settings: Any):
        """Else what contradicts the model would stay unsettled for ever, and teach nothing."""
        settings.SECOND_OPINION_RATE = 1.0
        User.objects.filter(pk=make_user("idle", role="labeler").pk).update(is_active=False)
        make_user("tess", role="trainer")
        made = make_item(digit=3, confidence=0.999)
        assert ada.label(ada.item(), 4).json()["state"] == "settled"
        assert label_of(made) == ("4", "settled", 1)

    def test_some_are_drawn_by_lot(self, ada: Door, bea: Door, settings: Any):
        settings.SECOND_OPINION_RATE = 1.0
        make_item(confidence=0.99)
        assert ada.label(ada.item(), 7).json()["state"] == "awaiting"
        assert LabelEvent.objects.get().wants_second

    def test_saying_it_again_after_an_undo_does_not_dodge_the_second(self, ada: Door, bea: Door):
        make_item(confidence=0.99)
        ada.label(ada.item(), 3)
        again = ada.undo().json()["item"]
        assert ada.label(again, 3).json()["state"] == "awaiting"

    def test_a_conflict_asks_a_third_and_the_majority_stands(self, ada: Door, bea: Door, cid: Door):
        made = make_item(confidence=0.99)
        ada.label(ada.item(), 3)
        assert bea.label(bea.item(), 5).json()["state"] == "awaiting"
        assert cid.label(cid.item(), 5).json()["state"] == "settled"
        assert label_of(made) == ("5", "settled", 3)

    def test_three_of_three_minds_leave_it_to_a_reviewer(
        self, ada: Door, bea: Door, cid: Door, rita: Door
    ):
        made = make_item(confidence=0.99)
        ada.label(ada.item(), 3)
        bea.label(bea.item(), 5)
        assert cid.label(cid.item(), None).json()["state"] == "disputed"
        assert place(made)[0] is False
        assert rita.settle(made.public_id, 5).json()["state"] == "settled"
        assert label_of(made) == ("5", "settled", 3)

    def test_ones_later_opinion_replaces_ones_earlier(self, live_version: Any):
        made, visitor = make_prediction(), uuid.uuid4()
        owner = decisions.Owner(visitor=visitor)
        for digit in (3, 4):
            decisions.label_by_feedback(made, Answer(digit), owner=owner)
        assert label_of(made) == ("4", "settled", 1)
        assert LabelEvent.objects.count() == 2

    def test_an_audits_second_opinion_is_as_blind_as_the_first(
        self, ada: Door, bea: Door, settings: Any
    ):
        settings.SHOW_GUESSES = True
        made = make_item(is_audit=True, confidence=0.99)
        ada.label(ada.item(), 3)
        assert place(made) == (True, Stream.SECOND)
        assert bea.item()["guess"] is None


class TestBlindness:
    def test_guesses_are_hidden_unless_a_setting_shows_them(self, ada: Door, settings: Any):
        make_item()
        assert ada.item()["guess"] is None
        settings.SHOW_GUESSES = True
        assert ada.item()["guess"] == 7

    def test_an_audits_guess_is_never_told(self, ada: Door, settings: Any):
        settings.SHOW_GUESSES = True
        make_item(is_audit=True)
        item = ada.item()
        assert item["guess"] is None
        assert ada.label(item, 3).json()["guess"] is None
        assert ada.undo().json()["item"]["guess"] is None

    def test_no_reviewer_rules_on_an_audit_before_a_labeler_answered_it_blind(
        self, ada: Door, rita: Door, settings: Any
    ):
        settings.SECOND_OPINION_RATE = 1.0  # its first answer waits for another
        make_user("bea", role="labeler")
        made = make_item(is_audit=True)
        refused = rita.settle(made.public_id, 4)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "still_blind")
        assert not LabelEvent.objects.exists()
        assert ada.label(ada.item(), 3).json()["state"] == "awaiting"
        ruled = rita.settle(made.public_id, 4)
        assert (ruled.status_code, ruled.json()["guess"]) == (200, None)
        assert not LabelEvent.objects.get(kind="settle").guess_shown

    def test_feedback_on_an_audit_item_never_becomes_a_label(self, client: Client, settings: Any):
        settings.TRUST_FEEDBACK = True
        audit, plain = make_item(is_audit=True), make_item()
        for made in (audit, plain):
            say(client, made, 3)
        assert list(Label.objects.values_list("pk", flat=True)) == [plain.pk]
        assert Feedback.objects.count() == 2
        assert place(audit) == (True, Stream.AUDIT)


def say(client: Client, prediction: Any, digit: int | None) -> None:
    url = f"/api/v1/predictions/{prediction.public_id}/feedback/"
    assert post_json(client, url, {"digit": digit}).status_code == 200


class TestFeedback:
    def test_a_strangers_word_is_a_claim_and_no_label(self, client: Client, live_version: Any):
        say(client, make_prediction(), 3)
        assert Feedback.objects.count() == 1
        assert not LabelEvent.objects.exists()

    def test_where_everybody_is_trusted_it_is_a_label_at_once(
        self, client: Client, live_version: Any, settings: Any
    ):
        settings.TRUST_FEEDBACK = True
        made = make_prediction()
        say(client, made, 3)
        assert label_of(made) == ("3", "settled", 1)
        event = LabelEvent.objects.get()
        assert (event.stream, event.labeler_id, event.guess_shown) == ("feedback", None, True)
        assert event.visitor is not None
        assert place(made)[0] is False

    def test_a_labelers_word_is_a_label_anywhere(self, live_version: Any):
        ada = make_ada()
        client = Client()
        client.force_login(ada)
        made = make_prediction()
        say(client, made, None)
        assert label_of(made) == ("unreadable", "settled", 1)
        assert LabelEvent.objects.get().labeler == ada

    def test_a_person_without_the_role_is_a_stranger(self, live_version: Any):
        client = Client()
        client.force_login(make_user("cy"))
        say(client, make_prediction(), 3)
        assert not LabelEvent.objects.exists()

    def test_saying_the_same_again_adds_nothing(
        self, client: Client, live_version: Any, settings: Any
    ):
        settings.TRUST_FEEDBACK = True
        made = make_prediction()
        for digit in (3, 3, 4, 4, 3):
            say(client, made, digit)
        assert list(LabelEvent.objects.order_by("pk").values_list("digit", flat=True)) == [3, 4, 3]
        assert label_of(made) == ("3", "settled", 1)

    def test_the_same_word_of_two_visitors_is_two_opinions(self, live_version: Any):
        made = make_prediction()
        for visitor in (uuid.uuid4(), uuid.uuid4()):
            decisions.label_by_feedback(made, Answer(3), owner=decisions.Owner(visitor=visitor))
        assert label_of(made) == ("3", "settled", 2)

    def test_saying_otherwise_after_a_ruling_reopens_the_dispute(self, rita: Door):
        made = make_item()
        owner = decisions.Owner(visitor=uuid.uuid4())
        decisions.label_by_feedback(made, Answer(3), owner=owner)
        rita.settle(made.public_id, 5)
        decisions.label_by_feedback(made, Answer(3), owner=owner)
        assert label_of(made) == ("5", "disputed", 1)


class TestGold:
    @pytest.fixture
    def known(self, settings: Any) -> Any:
        settings.GOLD_RATE = 1.0
        made = make_item(digit=4, confidence=0.99)
        make_gold(made, 4)
        return made

    def served(self, door: Door, known: Any) -> dict[str, Any]:
        (item,) = [item for item in door.items(3) if item["id"] == str(known.public_id)]
        return item

    def test_it_looks_like_any_other(self, ada: Door, known: Any):
        for _ in range(3):
            make_item()
        items = ada.items(3)
        assert len(items) == 3
        assert str(known.public_id) in {item["id"] for item in items}
        assert len({item["token"] for item in items}) == 3
        assert {uuid.UUID(item["token"]).version for item in items} == {4}
        assert len({frozenset(item) for item in items}) == 1
        assert len({item["stream"] for item in items}) == 1
        tokens = [item["token"] for item in items]
        assert sorted(ada.keep(*tokens).json()["kept"]) == sorted(tokens)
        answers = [ada.label(item, 7).json() for item in items]
        assert {answer["state"] for answer in answers} == {"settled"}

    def test_its_answer_is_no_overlap_no_label_and_nothing_to_train_on(self, ada: Door, known: Any):
        make_item()
        assert ada.label(self.served(ada, known), 9).status_code == 200
        event = LabelEvent.objects.get()
        assert event.is_gold
        assert not event.wants_second
        assert not LabelEvent.objects.opinions().exists()
        assert not Label.objects.exists()
        assert place(known)[0] is False

    def test_it_is_answered_once(self, ada: Door, known: Any):
        make_item()
        item = self.served(ada, known)
        assert ada.label(item, 4).status_code == 200
        assert ada.label(item, 5).status_code == 409
        assert LabelEvent.objects.count() == 1
        assert str(known.public_id) not in {item["id"] for item in ada.items(3)}

    def test_everybody_is_asked(self, ada: Door, bea: Door, known: Any):
        for _ in range(4):
            make_item()
        assert ada.label(self.served(ada, known), 4).status_code == 200
        assert bea.label(self.served(bea, known), 4).status_code == 200

    def test_an_answer_taken_back_is_asked_again_like_any_other(self, ada: Door, known: Any):
        make_item()
        ada.label(self.served(ada, known), 5)
        again = ada.undo().json()["item"]
        assert again["id"] == str(known.public_id)
        assert ada.label(again, 4).status_code == 200
        assert LabelEvent.objects.standing().get().digit == 4

    def test_a_skipped_one_does_not_come_back(self, ada: Door, known: Any):
        make_item()
        assert ada.skip(self.served(ada, known)).status_code == 204
        assert str(known.public_id) not in {item["id"] for item in ada.items(3)}

    def test_another_persons_token_does_not_open_it(self, ada: Door, bea: Door, known: Any):
        make_item()
        assert bea.label(self.served(ada, known), 4).status_code == 409
        assert not LabelEvent.objects.exists()

    def test_it_never_keeps_an_empty_queue_going(self, ada: Door, known: Any):
        assert ada.items() == []

    def test_making_an_open_item_gold_takes_it_out_of_the_queue(self, ada: Door, known: Any):
        made = make_item()
        item = next(item for item in ada.items(2) if item["id"] == str(made.public_id))
        make_gold(made, 7)
        assert ada.label(item).status_code == 409
        assert Gold.objects.count() == 2
        assert place(made)[0] is False


class TestUndoing:
    def test_the_last_decision_is_taken_back_and_its_item_is_in_hand_again(self, ada: Door):
        made = make_item()
        ada.label(ada.item(), 3)
        item = ada.undo().json()["item"]
        assert item["id"] == str(made.public_id)
        assert not Label.objects.exists()
        assert place(made) == (True, Stream.UNSURE)
        assert ada.label(item, 5).status_code == 200
        assert label_of(made) == ("5", "settled", 1)

    def test_undo_walks_back_through_ones_own_decisions_alone(self, ada: Door, bea: Door):
        mine, theirs = make_item(confidence=0.3), make_item(confidence=0.4)
        held, other = ada.item(), bea.item()
        ada.label(held)
        bea.label(other)
        ada.undo()
        assert list(Label.objects.values_list("pk", flat=True)) == [theirs.pk]
        answer = ada.undo()
        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "nothing_to_undo"
        assert mine.pk in QueueItem.objects.filter(is_open=True).values_list("pk", flat=True)

    def test_an_undo_is_an_event_and_nothing_is_ever_deleted(self, ada: Door):
        make_item()
        ada.label(ada.item(), 3)
        ada.undo()
        said, undone = LabelEvent.objects.order_by("pk")
        assert (undone.kind, undone.reverses) == ("undo", said)

    def test_an_item_somebody_else_holds_by_now_stays_theirs(
        self, ada: Door, bea: Door, settings: Any
    ):
        settings.SECOND_OPINION_RATE = 1.0
        make_item()
        ada.label(ada.item(), 3)
        held = bea.item()
        answer = ada.undo()
        assert answer.status_code == 200
        assert answer.json()["item"] is None
        assert bea.label(held, 4).status_code == 200

    def test_an_expired_hold_after_an_undo_is_free_for_others(self, ada: Door, bea: Door):
        made = make_item()
        ada.label(ada.item(), 3)
        item = ada.undo().json()["item"]
        let_lease_expire(made)
        assert bea.item()["id"] == item["id"]

    def test_an_item_moved_by_feedback_returns_to_the_feedback_stream(
        self, ada: Door, client: Client
    ):
        made = make_item(version=make_live())
        say(client, made, 3)
        item = ada.item()
        assert place(made) == (True, Stream.FEEDBACK)
        before = QueueItem.objects.values_list("stream", "rank").get()
        ada.label(item)
        ada.undo()
        assert QueueItem.objects.values_list("stream", "rank").get() == before

    def test_an_item_in_review_after_skips_returns_there(self, ada: Door, bea: Door, cid: Door):
        made = make_item()
        ada.skip(ada.item())
        bea.skip(bea.item())
        cid.label(cid.item())
        cid.undo()
        assert place(made) == (True, Stream.REVIEW)


class TestSettling:
    def test_a_ruling_stands_over_what_was_said(self, ada: Door, rita: Door):
        made = make_item()
        ada.label(ada.item(), 3)
        assert rita.settle(made.public_id, None).json()["state"] == "settled"
        assert label_of(made) == ("unreadable", "settled", 1)

    def test_whoever_confirms_it_later_is_the_last_to_have_said_it(self, ada: Door, rita: Door):
        made = make_item()
        rita.settle(made.public_id, 3)
        owner = decisions.Owner(visitor=uuid.uuid4())
        confirmed = decisions.label_by_feedback(made, Answer(3), owner=owner)
        assert Label.objects.get(pk=made.pk).event == confirmed

    def test_whoever_held_the_item_has_lost_it(self, ada: Door, rita: Door):
        made = make_item()
        item = ada.item()
        rita.settle(made.public_id, 3)
        assert ada.label(item, 5).status_code == 409
        assert label_of(made) == ("3", "settled", 0)

    def test_a_ruling_can_be_taken_back(self, ada: Door, rita: Door):
        made = make_item()
        ada.label(ada.item(), 3)
        rita.settle(made.public_id, 5)
        rita.undo()
        assert label_of(made) == ("3", "settled", 1)
