"""What is wanted comes sooner, does not say so, and bars nothing else."""

from __future__ import annotations

import random
import uuid

import pytest

from labeling.models import QueueItem, Wanted
from labeling.queue import priorities, queue
from tests.factories import make_user
from tests.labeling.door import make_item

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
    assert held.why == "the model was least sure"


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
