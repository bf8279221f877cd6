"""Labels and places computed again from the events."""

from __future__ import annotations

import contextlib
import random
import uuid
from functools import partial
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from labeling.batches.batches import undo_batch
from labeling.batches.bulk import accept_feedback, set_verdict
from labeling.batches.rebuild import rebuild_labels
from labeling.batches.review import send_to_review
from labeling.batches.selections import as_shown
from labeling.decisions.decisions import Answer
from labeling.errors import EmptySelection
from labeling.models import Batch, Label, QueueItem, Stream
from predictions.models import Prediction
from tests.factories import make_ada, make_ben, make_feedback, make_user
from tests.labeling.door import Door, make_item

pytestmark = pytest.mark.django_db


class Office:
    """A dozen drawings and people who do whatever comes to their minds."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.ben = make_ben()
        eve = make_user("eve", role="labeler")
        self.doors = [Door(make_ada()), Door(eve), Door(self.ben)]
        for at in range(12):
            digit, audit = at % 10, at % 5 == 0
            item = make_item(digit=digit, confidence=self.dice.uniform(0.3, 1), is_audit=audit)
            if at % 3 == 0:
                make_feedback(item, self.dice.choice([None, 1, digit]))

    def act(self) -> None:
        acts = [self.label, self.label, self.take_back, self.grid, self.bulk, self.undo_a_batch]
        self.dice.choice(acts)()

    def label(self) -> None:
        door = self.dice.choice(self.doors)
        for item in door.items(count=2):
            assert door.label(item, self.dice.choice([1, 2, 7, None])).status_code == 200

    def take_back(self) -> None:
        self.dice.choice(self.doors).undo()

    def grid(self) -> None:
        door, digit = self.dice.choice(self.doors), self.dice.randrange(10)
        found = door.post("grid/", {"digit": digit, "count": 5}).json()
        ids = [item["id"] for item in found["items"]]
        body = {"digit": digit, "token": found["token"], "ids": ids, "wrong": ids[:1]}
        if ids:
            answer = door.post("grid/confirm/", {**body, "request_id": str(uuid.uuid4())})
            assert answer.status_code == 200

    def bulk(self) -> None:
        keys = self.dice.sample(list(Prediction.objects.values_list("pk", flat=True)), 4)
        chosen = Prediction.objects.filter(pk__in=keys)
        act = self.dice.choice([partial(set_verdict, verdict=Answer(3)), accept_feedback,
                                send_to_review])  # fmt: skip
        with contextlib.suppress(EmptySelection):
            act(as_shown(chosen), by=self.ben, chosen_by={})

    def undo_a_batch(self) -> None:
        if batches := list(Batch.objects.filter(undone_at=None).order_by("made_at")):
            undo_batch(self.dice.choice(batches), by=self.ben)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_people_do_there_is_no_difference(seed: int, settings: Any):
    settings.SECOND_OPINION_RATE = 0.4
    office = Office(seed)
    for _ in range(25):
        office.act()
    found = rebuild_labels(mend=False)
    assert (found.looked_at, found.labels, found.places) == (12, [], [])


class TestMending:
    def spoil(self) -> Prediction:
        item = make_item()
        door = Door(make_ada())
        door.label(door.item(), 3)
        Label.objects.filter(pk=item.pk).update(digit=9)
        QueueItem.objects.filter(pk=item.pk).update(is_open=True, stream=Stream.SECOND)
        return item

    def test_a_look_finds_what_differs_and_changes_nothing(self, capsys: Any):
        item = self.spoil()
        with pytest.raises(CommandError, match="1 labels and 1 places"):
            call_command("rebuild_labels", check=True)
        assert str(item.pk) in capsys.readouterr().out
        assert Label.objects.get().digit == 9

    def test_what_differs_is_mended_once(self, capsys: Any):
        item = self.spoil()
        call_command("rebuild_labels")
        assert Label.objects.get().digit == 3
        assert not QueueItem.objects.get(pk=item.pk).is_open
        call_command("rebuild_labels", check=True)
        assert "0 labels and 0 places" in capsys.readouterr().out

    def test_labels_without_events_go_and_missing_ones_come(self):
        item = self.spoil()
        event = Label.objects.get().event
        bare = make_item()
        Label.objects.filter(pk=item.pk).delete()
        Label.objects.create(prediction=bare, digit=1, state="settled", opinions=1, event=event)
        assert rebuild_labels().labels == [item.pk, bare.pk]
        assert [label.pk for label in Label.objects.all()] == [item.pk]

    def test_it_goes_through_in_chunks(self, monkeypatch: Any):
        monkeypatch.setattr("labeling.batches.rebuild.AT_ONCE", 2)
        self.spoil()
        for _ in range(4):
            make_item()
        counts: list[int] = []
        assert rebuild_labels(progress=counts.append).looked_at == 5
        assert counts == [2, 2, 1]

    def test_gold_and_twins_stay_closed(self):
        from labeling.batches.gold_items import add_gold
        from tests.factories import some_glyph

        item = self.spoil()
        rebuild_labels()
        add_gold(as_shown(Prediction.objects.filter(pk=item.pk)), by=None)
        for _ in range(2):
            make_item(glyph=some_glyph(1))
        assert QueueItem.objects.filter(is_open=True).count() == 1
        assert len(rebuild_labels(mend=False)) == 0


def test_the_queue_says_how_it_stands(capsys: Any):
    make_item()
    make_item(is_audit=True)
    Door(make_ada()).item()
    call_command("queue")
    lines = dict(line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert (lines["unsure"], lines["audit"], lines["review"]) == ("1", "1", "0")
    assert (lines["held now"], lines["disputed"]) == ("1", "0")
