from __future__ import annotations

import threading
import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from labeling.errors import LeaseLost
from labeling.models import LabelEvent, QueueItem, Skip, Stream
from labeling.queue import queue
from tests.factories import make_ada, make_user
from tests.labeling.door import Door, let_lease_expire, make_gold, make_item, place

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(db: None) -> Door:
    return Door(make_ada())


@pytest.fixture
def bea(db: None) -> Door:
    return Door(make_user("bea", role="labeler"))


class TestHolding:
    def test_an_item_is_in_one_persons_hands_at_a_time(self, ada: Door, bea: Door):
        first, second = make_item(confidence=0.4), make_item(confidence=0.6)
        assert ada.item()["id"] == str(first.public_id)
        assert bea.item()["id"] == str(second.public_id)

    def test_an_item_arrives_with_its_glyph(self, ada: Door):
        made = make_item()
        item = ada.item()
        assert item["glyph"].startswith("data:image/png;base64,")
        assert item["drawing_url"] == made.drawing_url
        assert item["guess"] is None

    def test_an_audit_and_a_second_opinion_arrive_as_any_other_item_does(
        self, ada: Door, bea: Door
    ):
        contradicted = make_item(confidence=0.99)
        bea.label(bea.item(), 3)
        others = [make_item(is_audit=is_audit) for is_audit in (True, False)]
        items = ada.items(3)
        assert {item["id"] for item in items} == {
            str(each.public_id) for each in (contradicted, *others)
        }
        assert {(item["stream"], item["why"]) for item in items} == {("hidden", "it is its turn")}
        own = ("id", "token", "glyph", "drawing_url")
        assert len({str({**item, **dict.fromkeys(own)}) for item in items}) == 1

    def test_several_come_at_once_each_with_a_token_of_its_own(self, ada: Door):
        for _ in range(4):
            make_item()
        items = ada.items(3)
        assert len({item["token"] for item in items}) == len({item["id"] for item in items}) == 3

    def test_what_the_page_still_shows_is_not_handed_out_again(self, ada: Door):
        for _ in range(3):
            make_item()
        (first,) = ada.items()
        (second,) = ada.items(holding=[first["id"]])
        assert second["id"] != first["id"]
        assert ada.label(first).status_code == 200

    def test_coming_back_resumes_ones_own_and_the_other_tab_has_lost_it(self, ada: Door):
        make_item(confidence=0.4), make_item(confidence=0.6)
        before = ada.item()
        again = ada.item()
        assert again["id"] == before["id"]
        assert again["token"] != before["token"]
        assert ada.label(before).status_code == 409
        assert ada.label(again).status_code == 200

    def test_a_question_of_the_same_page_that_arrives_late_voids_no_hold(self, ada: Door):
        """A host that was cut off answers what was long since asked of another one again."""
        make_item(confidence=0.4), make_item(confidence=0.6)
        page = str(uuid.uuid4())
        (held,) = ada.items(page=page)
        (late,) = ada.items(page=page)
        assert late["token"] == held["token"]
        assert ada.label(held).status_code == 200

    def test_nor_does_it_void_what_was_taken_back_since(self, ada: Door):
        make_item()
        page = str(uuid.uuid4())
        ada.label(ada.items(page=page)[0])
        again = ada.undo(page=page).json()["item"]
        ada.items(page=page)
        assert ada.label(again).status_code == 200

    def test_a_hold_that_was_given_back_begins_anew_on_the_same_page(self, ada: Door):
        make_item()
        page = str(uuid.uuid4())
        (before,) = ada.items(page=page)
        ada.release(before["id"])
        (again,) = ada.items(page=page)
        assert again["token"] != before["token"]
        assert ada.label(before).status_code == 409
        assert ada.label(again).status_code == 200

    def test_another_page_takes_the_hold_over(self, ada: Door):
        make_item()
        (before,) = ada.items(page=str(uuid.uuid4()))
        (taken,) = ada.items(page=str(uuid.uuid4()))
        assert taken["id"] == before["id"]
        assert ada.label(before).status_code == 409
        assert ada.label(taken).status_code == 200

    def test_a_lease_lasts_three_minutes_by_the_databases_clock(self, ada: Door):
        make_item()
        ada.item()
        left = QueueItem.objects.get().leased_until - timezone.now()
        assert timedelta(seconds=170) < left <= timedelta(seconds=181)

    def test_an_expired_lease_is_free_at_once_and_fenced_off(self, ada: Door, bea: Door):
        made = make_item()
        stale = ada.item()
        let_lease_expire(made)
        taken = bea.item()
        assert taken["id"] == stale["id"]
        answer = ada.label(stale, 3)
        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "lease_lost"
        assert not LabelEvent.objects.exists()
        assert bea.label(taken, 5).status_code == 200

    def test_an_expired_lease_is_not_good_even_where_nobody_else_came(self, ada: Door):
        made = make_item()
        stale = ada.item()
        let_lease_expire(made)
        assert ada.label(stale).status_code == 409
        assert not LabelEvent.objects.exists()

    def test_anothers_token_changes_nothing(self, ada: Door, bea: Door):
        make_item()
        item = ada.item()
        assert bea.label(item).status_code == 409
        assert bea.skip(item).status_code == 409
        assert bea.keep(item["token"]).json() == {"kept": []}
        assert bea.release(item["id"]).status_code == 204
        assert not LabelEvent.objects.exists()
        assert not Skip.objects.exists()
        assert ada.label(item).status_code == 200

    def test_a_made_up_token_or_item_changes_nothing(self, ada: Door):
        make_item()
        item = ada.item()
        made_up = str(uuid.uuid4())
        assert ada.label({**item, "token": made_up}).status_code == 409
        assert ada.label({**item, "id": made_up}).status_code == 404
        assert ada.skip({**item, "id": made_up}).status_code == 404
        assert not LabelEvent.objects.exists()
        assert ada.label(item).status_code == 200


class TestKeeping:
    def test_a_kept_lease_starts_again(self, ada: Door):
        made = make_item()
        item = ada.item()
        in_a_moment = timezone.now() + timedelta(seconds=5)
        QueueItem.objects.filter(pk=made.pk).update(leased_until=in_a_moment)
        assert ada.keep(item["token"]).json() == {"kept": [item["token"]]}
        assert QueueItem.objects.get().leased_until > timezone.now() + timedelta(seconds=170)

    def test_an_expired_lease_goes_on_if_nobody_took_the_item(self, ada: Door):
        made = make_item()
        item = ada.item()
        let_lease_expire(made)
        assert ada.keep(item["token"]).json() == {"kept": [item["token"]]}
        assert ada.label(item).status_code == 200

    def test_an_expired_lease_does_not_go_on_if_somebody_took_the_item(self, ada: Door, bea: Door):
        made = make_item()
        item = ada.item()
        let_lease_expire(made)
        taken = bea.item()
        assert ada.keep(item["token"]).json() == {"kept": []}
        let_lease_expire(made)
        assert ada.keep(item["token"]).json() == {"kept": []}
        assert bea.keep(taken["token"]).json() == {"kept": [taken["token"]]}

    def test_what_a_closed_page_held_is_free_at_once(self, ada: Door, bea: Door):
        make_item()
        item = ada.item()
        assert bea.items() == []
        assert ada.release(item["id"]).status_code == 204
        assert bea.item()["id"] == item["id"]


class TestOutlook:
    def test_instead_of_a_false_done_it_says_who_holds_the_rest(self, ada: Door, bea: Door):
        held = [make_item() for _ in range(3)]
        ada.items(3)
        soon = timezone.now() + timedelta(seconds=80)
        QueueItem.objects.filter(pk=held[0].pk).update(leased_until=soon)
        answer = bea.next().json()
        assert answer["items"] == []
        assert (answer["outlook"]["left"], answer["outlook"]["held_by_others"]) == (3, 3)
        assert answer["outlook"]["next_free_in"] == pytest.approx(80, abs=5)

    def test_an_empty_queue_says_so(self, ada: Door):
        outlook = ada.next().json()["outlook"]
        assert outlook == {"left": 0, "held_by_others": 0, "next_free_in": None}

    def test_there_is_none_while_items_come(self, ada: Door):
        make_item()
        assert ada.next().json()["outlook"] is None

    def test_what_one_holds_oneself_is_not_held_by_others(self, ada: Door):
        make_item()
        ada.item()
        assert queue.outlook(make_user("bea")).held_by_others == 1
        (row,) = QueueItem.objects.select_related("holder")
        assert queue.outlook(row.holder).held_by_others == 0


class TestSkipping:
    def test_a_skipped_item_goes_to_somebody_else_and_does_not_come_back(
        self, ada: Door, bea: Door
    ):
        make_item()
        item = ada.item()
        assert ada.skip(item).status_code == 204
        assert ada.items() == []
        assert bea.item()["id"] == item["id"]

    def test_a_page_that_closes_late_ends_no_hold_of_the_next_one(self, ada: Door, bea: Door):
        make_item()
        closed, opened = ada.item(), ada.item()  # each without a page: another token
        body = {"ids": [closed["id"]], "tokens": [closed["token"]]}
        assert ada.post("release/", body).status_code == 204
        assert bea.items() == []
        assert ada.label(opened).status_code == 200

    def test_a_gold_item_is_kept_and_skipped_as_any_other(self, ada: Door, settings: Any):
        """Else whoever keeps or skips it would learn that its answer is known."""
        settings.GOLD_RATE = 1.0
        make_item()
        known = make_item()
        make_gold(known, 7)
        (item,) = [each for each in ada.items(2) if each["id"] == str(known.public_id)]
        assert ada.keep(item["token"]).json() == {"kept": [item["token"]]}
        assert ada.skip(item).status_code == 204

    def test_skipping_twice_with_one_token_is_refused(self, ada: Door):
        make_item()
        item = ada.item()
        ada.skip(item)
        assert ada.skip(item).status_code == 409
        assert QueueItem.objects.get().skips == 1

    def test_what_was_held_too_long_cannot_be_skipped(self, ada: Door):
        made = make_item()
        stale = ada.item()
        let_lease_expire(made)
        assert ada.skip(stale).status_code == 409
        assert QueueItem.objects.get().skips == 0
        assert ada.item()["id"] == stale["id"]

    def test_two_skips_send_an_item_to_review(self, ada: Door, bea: Door):
        made = make_item()
        ada.skip(ada.item())
        assert place(made) == (True, Stream.UNSURE)
        bea.skip(bea.item())
        assert place(made) == (True, Stream.REVIEW)
        cid = Door(make_user("cid", role="labeler"))
        assert cid.item()["id"] == str(made.public_id)

    def test_an_audit_item_stays_in_the_audit(self, ada: Door, bea: Door):
        made = make_item(is_audit=True)
        ada.skip(ada.item())
        bea.skip(bea.item())
        assert place(made) == (True, Stream.AUDIT)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
class TestRaces:
    def race(self, *acts: Any) -> list[Any]:
        """Let all go at the same moment; what each returned or raised."""
        barrier, results = threading.Barrier(len(acts)), [None] * len(acts)

        def run(at: int, act: Any) -> None:
            try:
                barrier.wait(10)
                results[at] = act()
            except LeaseLost as lost:
                results[at] = lost
            finally:
                connection.close()

        threads = [threading.Thread(target=run, args=each) for each in enumerate(acts)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return results

    def test_eight_claims_at_once_never_share_an_item_and_none_goes_away_empty(self):
        for _ in range(40):
            make_item()
        people = [make_user(f"labeler{at}") for at in range(8)]
        for _ in range(5):
            held = self.race(*[lambda who=who: queue.claim(who, count=5) for who in people])
            shared = Counter(item.prediction_id for items in held for item in items)
            assert len(shared) == 40
            assert set(shared.values()) == {1}
            QueueItem.objects.update(holder=None, token=None, leased_until=None)

    def test_one_item_and_eight_claims_make_one_lease(self):
        make_item()
        people = [make_user(f"labeler{at}") for at in range(8)]
        held = self.race(*[lambda who=who: queue.claim(who) for who in people])
        assert sorted(len(items) for items in held) == [0] * 7 + [1]
