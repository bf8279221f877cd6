"""Gold that comes and goes by itself: which items, how many, and until when."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from labeling.batches import gold_items
from labeling.batches.batches import restate_many
from labeling.batches.gold_items import remove_gold
from labeling.decisions.agreement import between_labelers
from labeling.decisions.decisions import Answer
from labeling.models import Gold, LabelEvent, QueueItem
from predictions.models import Prediction
from tests.factories import make_ada, make_user
from tests.labeling.door import Door, correct, make_item
from training import tasks
from training.snapshots.snapshots import choose, default_rule

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _all_that_may(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever may become gold does, unless a test says otherwise."""
    settings.GOLD_FROM_AGREED = 1.0
    monkeypatch.setattr(gold_items, "MOST_SHARE", 1.0)


@pytest.fixture
def ada() -> User:
    return make_ada()


@pytest.fixture
def bea() -> User:
    return make_user("bea", role="labeler")


@pytest.fixture
def eve() -> User:
    """She labels too, on an item of her own."""
    eve = make_user("eve", role="labeler")
    read(make_item(), eve, 1)
    return eve


def read(item: Prediction, labeler: User | None, digit: int | None, **fields: Any) -> Prediction:
    LabelEvent.objects.create(
        prediction=item,
        kind=LabelEvent.Kind.LABEL,
        digit=digit,
        is_unreadable=digit is None,
        labeler=labeler,
        **fields,
    )
    restate_many([item.pk])
    return item


def agreed(*people: User, digit: int = 7, **fields: Any) -> Prediction:
    item = make_item(**fields)
    for person in people:
        read(item, person, digit)
    return item


def tonight() -> tuple[int, int]:
    done = tasks.look_at_labelers()
    return done["gold_added"], done["gold_removed"]


def taught() -> set[int]:
    return {label.prediction_id for label in choose(default_rule()).labels}


def gold() -> set[int]:
    return set(Gold.objects.values_list("pk", flat=True))


class TestWhatBecomesGold:
    def test_what_two_people_read_alike_is_asked_of_the_third(
        self, ada: User, bea: User, eve: User, settings: Any
    ):
        item = agreed(ada, bea, digit=4)
        assert tonight() == (1, 0)
        assert Gold.objects.get().digit == 4
        settings.GOLD_RATE = 1.0
        make_item()
        shown = {each["id"] for each in Door(eve).items(2)}
        assert str(item.public_id) in shown
        assert str(item.public_id) not in {each["id"] for each in Door(ada).items(2)}

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ({"digit": 7}, {"digit": 3}),  # they differ
            ({"digit": 7}, {"digit": 7, "guess_shown": True}),  # one saw the guess
            ({"digit": None}, {"digit": None}),  # unreadable has no answer to know
        ],
    )
    def test_what_was_not_read_alike_and_blind_does_not(
        self, ada: User, bea: User, eve: User, first: dict[str, Any], second: dict[str, Any]
    ):
        item = make_item()
        read(item, ada, **first)
        read(item, bea, **second)
        assert tonight() == (0, 0)

    def test_what_one_of_three_read_otherwise_does_not(self, ada: User, bea: User, eve: User):
        fay = make_user("fay", role="labeler")
        read(make_item(), fay, 1)
        item = agreed(ada, bea)
        read(item, eve, 1)
        assert tonight() == (0, 0)

    def test_what_an_admin_corrected_since_does_not(self, ada: User, bea: User, eve: User):
        item = agreed(ada, bea)
        correct(Prediction.objects.filter(pk=item.pk), Answer(1), by=ada)
        assert tonight() == (0, 0)

    def test_an_audit_does_and_stays_labeled(self, ada: User, bea: User, eve: User):
        item = agreed(ada, bea, is_audit=True)
        assert tonight() == (1, 0)
        item.refresh_from_db()
        assert item.label.digit == 7

    def test_digits_are_brought_level(
        self, ada: User, bea: User, eve: User, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(gold_items, "MOST", 4)
        for digit in (1, 1, 1, 1, 1, 1, 2, 8):
            agreed(ada, bea, digit=digit)
        assert tonight() == (4, 0)
        assert Counter(Gold.objects.values_list("digit", flat=True)) == {1: 2, 2: 1, 8: 1}

    def test_it_takes_no_more_than_a_twentieth_of_the_labels(
        self, ada: User, bea: User, eve: User, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(gold_items, "MOST_SHARE", 0.05)
        for _ in range(20):
            agreed(ada, bea)
        for _ in range(19):
            agreed(ada)
        assert tonight() == (2, 0)  # of 40 settled labels

    def test_a_share_of_what_was_agreed_on(self, ada: User, bea: User, eve: User, settings: Any):
        for _ in range(8):
            agreed(ada, bea)
        settings.GOLD_FROM_AGREED = 0.5

        class Draws:
            """Every other draw is below a half."""

            def __init__(self) -> None:
                self.at = 0

            def random(self) -> float:
                self.at += 1
                return 0.4 if self.at % 2 else 0.6

            def shuffle(self, keys: list[int]) -> None:
                pass

        assert gold_items.renew_gold(dice=Draws())["gold_added"] == 4  # type: ignore[arg-type]

    def test_each_item_has_one_chance(self, ada: User, bea: User, eve: User):
        item = agreed(ada, bea)
        assert tonight() == (1, 0)
        assert tonight() == (0, 0)
        remove_gold([item.pk])  # somebody does not want it to be gold
        assert tonight() == (0, 0)
        later = agreed(ada, bea)
        assert tonight() == (1, 0)
        assert gold() == {later.pk}

    def test_none_where_people_are_to_choose(self, ada: User, bea: User, eve: User, settings: Any):
        settings.GOLD_FROM_AGREED = 0.0
        agreed(ada, bea)
        assert tonight() == (0, 0)
        settings.GOLD_FROM_AGREED = 1.0
        assert tonight() == (1, 0)


class TestTooFewPeople:
    def page(self) -> str:
        client = Client()
        client.force_login(make_user("rita", role="reviewer"))
        return client.get("/review/agreement/").content.decode()

    def test_two_people_have_none_and_the_page_says_why(self, ada: User, bea: User):
        agreed(ada, bea)
        assert tonight() == (0, 0)
        page = self.page()
        assert "0 items are gold now." in page
        assert "where three or more people label" in page
        assert "In the last four weeks 2 people labeled." in page

    def test_what_they_agreed_on_is_asked_of_whoever_comes_later(self, ada: User, bea: User):
        item = agreed(ada, bea)
        assert tonight() == (0, 0)
        read(make_item(), make_user("eve", role="labeler"), 1)
        assert tonight() == (1, 0)
        assert gold() == {item.pk}
        assert "100% become gold by themselves" in self.page()

    def test_one_person_alone_breaks_nothing(self, ada: User):
        agreed(ada)
        assert tonight() == (0, 0)
        assert "In the last four weeks 1 person labeled." in self.page()

    def test_nor_does_an_empty_installation(self):
        assert tonight() == (0, 0)
        assert "In the last four weeks 0 people labeled." in self.page()


class TestWhenItEnds:
    @pytest.fixture
    def item(self, ada: User, bea: User, eve: User) -> Prediction:
        item = agreed(ada, bea, digit=4)
        assert tonight() == (1, 0)
        return item

    def answer(self, who: User, item: Prediction, digit: int, settings: Any) -> None:
        settings.GOLD_RATE = 1.0
        make_item()
        door = Door(who)
        (known,) = [each for each in door.items(2) if each["id"] == str(item.public_id)]
        assert door.label(known, digit).status_code == 200

    def test_when_everybody_has_answered_it_teaches_again(
        self, item: Prediction, eve: User, settings: Any
    ):
        assert item.pk not in taught()
        self.answer(eve, item, 9, settings)
        assert tonight() == (0, 1)
        assert item.pk in taught()
        assert QueueItem.objects.filter(pk=item.pk, is_parked=False, is_open=False).exists()
        # The answer still counts for accuracy, and for nothing else.
        (of_eve,) = [each for each in between_labelers().labelers if each.labeler == "eve"]
        assert (of_eve.gold.hits, of_eve.gold.n) == (0, 1)
        progress = Door(eve).client.get("/api/v1/labels/progress/").json()
        assert (progress["gold_answered"], progress["gold_right"]) == (1, 0)
        item.refresh_from_db()
        assert item.label.digit == 4
        assert tonight() == (0, 0)

    def test_not_while_somebody_who_labels_has_not(
        self, item: Prediction, eve: User, settings: Any
    ):
        read(make_item(), make_user("fay", role="labeler"), 1)
        self.answer(eve, item, 4, settings)
        assert tonight() == (0, 0)

    def test_who_skipped_it_is_not_waited_for(self, item: Prediction, eve: User, settings: Any):
        settings.GOLD_RATE = 1.0
        make_item()
        door = Door(eve)
        (known,) = [each for each in door.items(2) if each["id"] == str(item.public_id)]
        assert door.skip(known).status_code == 204
        assert tonight() == (0, 1)

    def test_gold_that_somebody_chose_stays(self, item: Prediction, eve: User, settings: Any):
        Gold.objects.update(is_automatic=False)
        self.answer(eve, item, 4, settings)
        assert tonight() == (0, 0)

    def test_when_its_label_is_corrected(self, item: Prediction, ada: User):
        correct(Prediction.objects.filter(pk=item.pk), Answer(9), by=ada)
        assert tonight() == (0, 1)
        assert gold() == set()

    def test_when_its_label_is_taken_back_it_is_labeled_again(
        self, item: Prediction, ada: User, bea: User
    ):
        for person in (ada, bea):
            assert Door(person).undo().status_code == 200
        assert tonight() == (0, 1)
        assert str(item.public_id) in {each["id"] for each in Door(ada).items(5)}
