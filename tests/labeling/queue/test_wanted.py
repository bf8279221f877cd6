"""What is wanted comes sooner, does not say so, and bars nothing else."""

from __future__ import annotations

import random
import uuid
from typing import Any

import pytest

from labeling.models import QueueItem, Wanted
from labeling.queue import priorities, queue
from tests.factories import make_ada, make_user
from tests.labeling.door import LABELS, Door, make_gold, make_item

pytestmark = pytest.mark.django_db


class Always(random.Random):
    """Dice that always fall on the same side."""

    def __init__(self, side: float) -> None:
        super().__init__(0)
        self.side = side

    def random(self) -> float:
        return self.side


def deep_in_the_queue() -> int:
    """Thirty items the model was less sure of lie before it."""
    for at in range(30):
        make_item(confidence=0.2 + at / 100, visitor=uuid.uuid4())
    return make_item(confidence=0.99, visitor=uuid.uuid4()).pk


def test_a_wanted_item_deep_in_its_stream_is_handed_out_at_once_and_does_not_say_so():
    key = deep_in_the_queue()
    assert priorities.want([key]) == 1
    (held,) = queue.claim(make_user("ada"), dice=Always(0.1))
    assert held.prediction_id == key
    assert held.stream == "unsure"


def test_the_rest_of_the_time_the_mix_goes_on():
    key = deep_in_the_queue()
    priorities.want([key])
    (held,) = queue.claim(make_user("ada"), dice=Always(0.9))
    assert held.prediction_id != key


def test_a_wanted_item_is_handed_out_once():
    items = [make_item(visitor=uuid.uuid4()).pk for _ in range(4)]
    priorities.want(items)
    held = queue.claim(make_user("ada"), count=10)
    assert sorted(each.prediction_id for each in held) == items
    assert queue.claim(make_user("bea"), count=10) == []


def test_a_new_wish_replaces_the_last_and_what_is_closed_is_not_wanted():
    first, second, closed = make_item(), make_item(), make_item()
    QueueItem.objects.filter(pk=closed.pk).update(is_open=False)
    priorities.want([first.pk])
    assert priorities.want([second.pk, closed.pk]) == 1
    assert list(Wanted.objects.values_list("pk", flat=True)) == [second.pk]
    assert priorities.want([]) == 0
    assert not Wanted.objects.exists()


class TestPriorityFirst:
    """What "Decide now" asks for: most items have priority, and nothing says which."""

    def wanted_among(self, others: int, wanted: int) -> set[str]:
        for at in range(others):  # the model was less sure of these
            make_item(confidence=0.2 + at / 1000, visitor=uuid.uuid4())
        made = [make_item(confidence=0.99, visitor=uuid.uuid4()) for _ in range(wanted)]
        assert priorities.want([each.pk for each in made]) == wanted
        return {str(each.public_id) for each in made}

    def test_three_of_four_items_have_priority_and_are_mixed_with_others(self):
        wanted = self.wanted_among(40, 80)
        ada, places = Door(make_ada()), set()
        for _ in range(4):
            items = ada.items(20, priority_first=True)
            first = [item["id"] in wanted for item in items]
            assert (len(first), sum(first)) == (20, 15)
            places.add(tuple(first))
            assert len({tuple(item) for item in items}) == 1  # the same fields
            assert len({item["why"] for item in items}) == 1
            assert {item["guess"] for item in items} == {None}
            for item in items:
                ada.label(item)
        assert len(places) > 1

    def test_a_single_item_may_be_another_one(self):
        wanted = self.wanted_among(4, 4)
        for side, has_priority in ((0.2, False), (0.3, True)):
            user = make_user(f"u{side}")
            (held,) = queue.claim(user, priority_first=True, dice=Always(side))
            assert (str(held.public_id) in wanted) == has_priority

    def test_gold_takes_the_place_of_another_one(self, settings: Any):
        settings.GOLD_RATE = 1.0
        wanted = self.wanted_among(10, 10)
        make_gold(make_item(), 7)
        items = Door(make_ada()).items(8, priority_first=True)
        assert (len(items), sum(item["id"] in wanted for item in items)) == (8, 6)

    def test_the_rest_of_the_queue_follows_when_none_is_left_and_progress_says_so(self):
        wanted = self.wanted_among(3, 1)
        ada, bea = Door(make_ada()), Door(make_user("bea", role="labeler"))
        assert self.is_left(ada)
        assert self.is_left(bea)
        items = ada.items(4, priority_first=True)
        assert self.is_left(ada)
        assert not self.is_left(bea)  # Ada holds it
        for item in items:
            ada.label(item)
        assert not self.is_left(ada)
        self.wanted_among(3, 0)
        assert all(item["id"] not in wanted for item in ada.items(4, priority_first=True))

    def test_what_a_labeler_skipped_is_not_left_for_them(self):
        self.wanted_among(0, 1)
        ada, bea = Door(make_ada()), Door(make_user("bea", role="labeler"))
        ada.skip(ada.item())
        assert not self.is_left(ada)
        assert self.is_left(bea)

    def is_left(self, door: Door) -> bool:
        return bool(door.client.get(LABELS + "progress/").json()["priority_left"])

    def test_anything_but_yes_or_no_is_refused(self):
        self.wanted_among(1, 1)
        ada = Door(make_ada())
        assert ada.next(2, priority_first="perhaps").status_code == 400
        assert not QueueItem.objects.filter(holder__isnull=False).exists()
        assert len(ada.items(2, priority_first=False)) == 2
