from __future__ import annotations

import random
import threading
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.db import connection

from labeling.decisions import decisions
from labeling.decisions.decisions import Answer
from labeling.models import QueueItem, Stream
from labeling.queue import priorities, queue
from labeling.queue.choice import Candidate, choose_items
from labeling.queue.held import Held
from labeling.queue.intake import enqueue
from predictions.models import Prediction
from tests.factories import make_ada, make_prediction, make_user, some_glyph
from tests.labeling.door import Door, make_item, place


def fill(count: int, *, is_audit: bool = False) -> list[int]:
    """Items by as many writers; their keys in the order they are to be served."""
    made = [
        make_prediction(confidence=dice, visitor=uuid.uuid4(), is_audit=is_audit)
        for dice in random.Random(count).sample([0.2 + at / 1000 for at in range(700)], count)
    ]
    enqueue(made)
    in_order = QueueItem.objects.filter(pk__in=made).order_by("rank", "pk")
    return list(in_order.values_list("pk", flat=True))


def answer(labeler: User, held: Held) -> None:
    decisions.decide(
        held.public_id, Answer(7), labeler=labeler, token=held.token, request_id=uuid.uuid4()
    )


@pytest.mark.django_db
class TestOrder:
    @pytest.mark.parametrize("is_audit", [True, False])
    def test_one_labeler_gets_a_stream_from_its_head(self, is_audit: bool):
        in_order, ada = fill(25, is_audit=is_audit), make_user("ada")
        served: list[int] = []
        while held := queue.claim(ada, count=3):
            served += [item.prediction_id for item in held]
            for item in held:
                answer(ada, item)
        assert served == in_order

    def test_the_least_sure_come_first(self):
        sure, unsure = make_item(confidence=0.9), make_item(confidence=0.2)
        ranks = dict(QueueItem.objects.values_list("pk", "rank"))
        assert ranks[unsure.pk] < ranks[sure.pk]

    def test_audits_come_by_month_and_within_one_neither_by_time_nor_by_confidence(self):
        """The first half that is handed out is a random half of the month."""
        months = [datetime(2026, month, 1, 12, tzinfo=UTC) for month in (12, 1)]
        made = [
            make_item(
                is_audit=True,
                created_at=month + timedelta(hours=hour),
                confidence=0.2 + hour / 100,
                public_id=uuid.UUID(int=random.Random(f"{month} {hour}").getrandbits(128)),
            )
            for month in months
            for hour in range(60)
        ]
        served = QueueItem.objects.order_by("rank").values_list("prediction__created_at", flat=True)
        hours = [round((at - months[at.month == 1]).total_seconds() / 3600) for at in served]
        assert len(hours) == len(made)
        assert [at.month for at in served] == [1] * 60 + [12] * 60
        for first_half in (hours[:30], hours[60:90]):
            early = sum(hour < 30 for hour in first_half)
            assert 9 <= early <= 21

    def test_what_comes_free_is_served_first_again(self):
        in_order, ada, bea = fill(10), make_user("ada"), make_user("bea")
        held = queue.claim(ada, count=3)
        queue.claim(bea, count=2)
        queue.give_back(ada, [item.public_id for item in held])
        (back,) = queue.claim(make_user("cid"))
        assert back.prediction_id == in_order[0]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_eight_labelers_together_are_served_the_heads_of_the_streams():
    in_order = {"unsure": fill(60), "audit": fill(60, is_audit=True)}
    people = [make_user(f"labeler{at}") for at in range(8)]
    served: dict[int, list[Held]] = {who.pk: [] for who in people}
    failures: list[Exception] = []

    def work(who: User) -> None:
        try:
            for _ in range(5):
                (held, *more) = queue.claim(who, count=2, dice=random.Random(who.pk))
                served[who.pk] += [held, *more]
                for item in (held, *more):
                    answer(who, item)
        except Exception as failure:
            failures.append(failure)
            raise
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[who]) for who in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    for stream, order in in_order.items():
        by_person = [
            [order.index(item.prediction_id) for item in items if item.stream == stream]
            for items in served.values()
        ]
        together = sorted(at for items in by_person for at in items)
        assert together == list(range(len(together)))  # the head, without a gap, each once
        assert all(items == sorted(items) for items in by_person)
    assert sum(map(len, served.values())) == 80


def row(stream: str, rank: int, owner: str = "") -> Candidate:
    return Candidate(rank, uuid.UUID(int=rank), b"", 7, stream, False, owner)


class TestMix:
    def first_of(self, streams: list[str], seed: int) -> str:
        rows = [row(stream, rank) for stream in streams for rank in range(3)]
        return choose_items(rows, 1, random.Random(seed))[0].stream

    def test_streams_are_drawn_from_as_the_mix_says(self, settings: Any):
        settings.QUEUE_MIX = {"audit": 50, "second": 30, "review": 0, "feedback": 15, "unsure": 5}
        drawn = Counter(self.first_of(Stream.values, seed) for seed in range(4000))
        for stream, share in settings.QUEUE_MIX.items():
            assert drawn[stream] / 4000 == pytest.approx(share / 100, abs=0.03)
        assert drawn["review"] == 0

    def test_an_empty_stream_leaves_its_share_to_the_rest(self, settings: Any):
        settings.QUEUE_MIX = {"audit": 50, "second": 30, "review": 0, "feedback": 15, "unsure": 5}
        drawn = Counter(self.first_of(["feedback", "unsure"], seed) for seed in range(4000))
        assert drawn["feedback"] / 4000 == pytest.approx(0.75, abs=0.03)

    def test_a_stream_that_is_switched_off_serves_nothing(self, settings: Any):
        settings.QUEUE_MIX = {**settings.QUEUE_MIX, "unsure": 0}
        assert choose_items([row("unsure", 1)], 1, random.Random(0)) == []


class TestWriters:
    def test_one_writers_items_do_not_follow_each_other(self):
        rows = [row("unsure", rank, owner) for rank, owner in enumerate("aabbab")]
        chosen = choose_items(rows, 4, random.Random(0))
        assert [each.owner_key for each in chosen] == ["a", "b", "a", "b"]

    def test_nor_do_they_follow_what_is_on_screen(self):
        rows = [row("unsure", rank, owner) for rank, owner in enumerate("ab")]
        last = [row("audit", 9, "a")]
        assert choose_items(rows, 1, random.Random(0), last)[0].owner_key == "b"

    def test_where_there_is_only_one_writer_the_order_holds(self):
        rows = [row("unsure", rank, "a") for rank in range(4)]
        assert [each.prediction_id for each in choose_items(rows, 3, random.Random(0))] == [0, 1, 2]

    @pytest.mark.django_db
    def test_the_page_says_what_it_shows_and_the_next_is_by_another(self):
        ada = Door(make_ada())
        one, two = uuid.uuid4(), uuid.uuid4()
        made = [
            make_item(confidence=confidence, visitor=visitor)
            for confidence, visitor in [(0.2, one), (0.3, one), (0.4, two)]
        ]
        (first,) = ada.items()
        (second,) = ada.items(holding=[first["id"]])
        (third,) = ada.items(holding=[first["id"], second["id"]])
        served = [first["id"], second["id"], third["id"]]
        assert served == [str(made[at].public_id) for at in (0, 2, 1)]


@pytest.mark.django_db
class TestOwnDrawings:
    def test_nobody_gets_an_audit_of_their_own_and_others_do(self):
        ada, bea = make_ada(), make_user("bea", role="labeler")
        own = make_item(is_audit=True, user=ada)
        assert Door(ada).items() == []
        assert Door(bea).item()["id"] == str(own.public_id)

    def test_nor_one_that_their_browser_drew_before_they_signed_in(self):
        ada, visitor = Door(make_ada()), uuid.uuid4()
        drawn = make_item(is_audit=True, visitor=visitor)
        signed = signing.get_cookie_signer(salt=settings.VISITOR_COOKIE_NAME).sign(str(visitor))
        ada.client.cookies[settings.VISITOR_COOKIE_NAME] = signed
        assert ada.items() == []
        del ada.client.cookies[settings.VISITOR_COOKIE_NAME]
        assert ada.item()["id"] == str(drawn.public_id)

    def test_nor_by_its_priority(self):
        ada = make_ada()
        own = make_item(is_audit=True, user=ada)
        priorities.want([own.pk])
        assert Door(ada).items(priority_first=True) == []

    def test_what_is_no_audit_they_may_label_themselves(self):
        ada = make_ada()
        own = make_item(user=ada)
        assert Door(ada).item()["id"] == str(own.public_id)

    def test_many_own_audits_hide_none_of_others(self):
        ada = make_ada()
        for _ in range(30):
            make_item(is_audit=True, user=ada)
        other = make_item(is_audit=True, public_id=uuid.UUID(int=2**128 - 1))  # the last in rank
        assert Door(ada).item()["id"] == str(other.public_id)


@pytest.mark.django_db
class TestTwins:
    def test_the_same_glyph_is_shown_once(self):
        glyph = some_glyph(1)
        first, twin = make_item(glyph=glyph), make_item(glyph=glyph)
        assert place(first) == (True, Stream.UNSURE)
        assert place(twin) == (False, Stream.UNSURE)

    def test_twins_that_come_together_too(self):
        glyph = some_glyph(1)
        enqueue([make_prediction(glyph=glyph) for _ in range(3)])
        assert QueueItem.objects.filter(is_open=True).count() == 1

    def test_the_audit_keeps_its_twins(self):
        glyph = some_glyph(1)
        made: list[Prediction] = [make_item(glyph=glyph)]
        made += [make_item(glyph=glyph, is_audit=True) for _ in range(2)]
        assert [place(each)[0] for each in made] == [True, True, True]

    def test_the_twin_of_a_labeled_item_is_not_shown_either(self):
        glyph, ada = some_glyph(1), make_user("ada")
        make_item(glyph=glyph)
        (held,) = queue.claim(ada)
        answer(ada, held)
        make_item(glyph=glyph)
        assert queue.claim(ada) == []


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's plans follow its counts")
@pytest.mark.django_db
def test_the_head_of_the_queue_is_found_without_walking_the_queue():
    """A walk over the open items shows in no test by its time, and in every one by its plan."""
    fill(60)
    given = {"labeler": make_ada().pk, "user": "user 1", "visitor": "", "reach": 6}
    given |= {"turn": queue.TURN_KEY}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("EXPLAIN QUERY PLAN " + queue.candidates_sql(with_gold=False), given)
        steps = [row[3] for row in cursor.fetchall()]
    assert any("USING INDEX queue_order" in step for step in steps)
    assert not [step for step in steps if step.startswith("SCAN item")]
