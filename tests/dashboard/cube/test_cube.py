"""The cube against an independent count, whatever happens in whatever order."""

from __future__ import annotations

import contextlib
import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dashboard.cube import counting, store
from dashboard.cube.counting import catch_up, marks
from dashboard.cube.log import LogMarks
from dashboard.cube.tally import Tally
from dashboard.models import Cell, Mark, MonthFlow
from labeling.batches.batches import undo_batch
from labeling.decisions import decisions
from labeling.decisions.decisions import Answer
from labeling.errors import EmptySelection, StillBlind
from labeling.models import Batch, LabelEvent
from labeling.queue import queue
from labeling.queue.intake import enqueue_new
from predictions.errors import Declined
from predictions.models import ModelVersion, Owner, Prediction
from tests.dashboard.recount import check, recount, stored
from tests.factories import make_live, make_prediction, make_user
from tests.labeling.door import correct

SPRING = datetime(2026, 3, 30, 12, tzinfo=UTC)


class Crash(Exception):
    """The process dies in the middle of a step."""


class History:
    """Random acts on a small installation, each through the verb a door calls."""

    def __init__(self, seed: int, people: list[User], versions: list[ModelVersion]) -> None:
        self.dice = random.Random(seed)
        self.people, self.versions = people, versions
        self.acts: list[Callable[[], None]] = [
            self.capture, self.label, self.speak, self.settle, self.correct, self.undo,
            self.undo_a_batch, self.count, self.crash, self.give_up,
        ]  # fmt: skip

    def any_person(self) -> User:
        return self.dice.choice(self.people)

    def any_verdict(self, digit: int) -> Answer:
        return Answer(self.dice.choice([digit, digit, (digit + 1) % 10, None]))

    def any_prediction(self) -> Prediction | None:
        keys = list(Prediction.objects.values_list("pk", flat=True))
        return Prediction.objects.get(pk=self.dice.choice(keys)) if keys else None

    def capture(self) -> None:
        for _ in range(self.dice.randint(1, 4)):
            make_prediction(
                digit=self.dice.randrange(10),
                confidence=self.dice.choice([0.1, 0.9, 0.95, 0.9999996, 1.0, self.dice.random()]),
                version=self.dice.choice(self.versions),
                source=self.dice.choice(Prediction.Source.values),
                is_audit=self.dice.random() < 0.3,
                audit_probability=self.dice.choice([0.05, 0.2]),
                created_at=SPRING + timedelta(hours=self.dice.randrange(72)),
            )

    def label(self) -> None:
        enqueue_new()
        person = self.any_person()
        for held in queue.claim(person, count=2):
            decisions.decide(
                held.public_id, self.any_verdict(3), labeler=person, token=held.token,
                request_id=uuid.uuid4(),
            )  # fmt: skip

    def speak(self) -> None:
        if shown := self.any_prediction():
            owner = Owner(user_id=self.any_person().pk)
            decisions.label_by_feedback(shown, self.any_verdict(shown.digit), owner=owner)

    def settle(self) -> None:
        enqueue_new()
        if shown := self.any_prediction():
            with contextlib.suppress(StillBlind):
                decisions.settle(
                    shown.public_id, self.any_verdict(shown.digit), reviewer=self.any_person(),
                    request_id=uuid.uuid4(),
                )  # fmt: skip

    def correct(self) -> None:
        keys = list(Prediction.objects.values_list("pk", flat=True))
        some = self.dice.sample(keys, min(4, len(keys)))
        with contextlib.suppress(EmptySelection):
            correct(
                Prediction.objects.filter(pk__in=some), self.any_verdict(3),
                by=self.any_person(),
            )  # fmt: skip

    def undo(self) -> None:
        events = list(LabelEvent.objects.exclude(kind="undo"))
        if events:
            with contextlib.suppress(Declined):
                decisions.reverse(self.dice.choice(events), by=self.any_person())

    def undo_a_batch(self) -> None:
        if batches := list(Batch.objects.filter(undone_at=None).order_by("made_at")):
            undo_batch(self.dice.choice(batches), by=self.any_person())

    def count(self) -> None:
        catch_up(seconds=self.dice.choice([0, 0, 60]))

    def crash(self) -> None:
        """After the counts are written and before their transaction ends."""
        written = store.add

        def add_and_die(tally: Tally) -> None:
            written(tally)
            raise Crash

        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Crash):
            patch.setattr(store, "add", add_and_die)
            catch_up()

    def give_up(self) -> None:
        """Killed between two steps: nobody gives the lease back."""
        catch_up(seconds=0)
        Mark.objects.update(busy_until=SPRING)


@pytest.fixture
def people(db: None) -> list[User]:
    return User.objects.bulk_create([User(username=name) for name in ("ada", "eve", "kim")])


@pytest.fixture
def versions(db: None) -> list[ModelVersion]:
    return [make_live("old"), make_live("new")]


@pytest.mark.django_db
@settings(
    max_examples=30,
    phases=[phase for phase in Phase if phase is not Phase.explain],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32), acts=st.lists(st.integers(0, 9), min_size=5, max_size=40))
def test_whatever_happens_the_cube_equals_a_recount(
    monkeypatch: Any,
    people: list[User],
    versions: list[ModelVersion],
    seed: int,
    acts: list[int],
) -> None:
    monkeypatch.setattr(counting, "EVENTS_AT_ONCE", 3)
    monkeypatch.setattr(counting, "PREDICTIONS_AT_ONCE", 4)
    with contextlib.suppress(Crash), transaction.atomic():
        history = History(seed, people, versions)
        for act in acts:
            history.acts[act]()
        check()
        raise Crash  # nothing of this example stays


@pytest.mark.django_db
class TestCounting:
    def test_a_correction_moves_the_count_to_another_cell(self, live_version: ModelVersion) -> None:
        made = make_prediction(digit=7)
        catch_up()
        assert [key.label for key in stored()] == [11]
        correct(Prediction.objects.all(), Answer(1), by=make_user())
        catch_up()
        assert [(key.predicted, key.label) for key in stored()] == [(7, 1)]
        undo_batch(Batch.objects.get(), by=User.objects.get())
        catch_up()
        assert [key.label for key in stored()] == [11]
        assert Cell.objects.count() == 1
        assert marks().prediction == made.pk

    def test_two_drawings_that_change_places_take_their_confidence_along(
        self, live_version: ModelVersion
    ) -> None:
        """They share a bin: the counts of both cells stay, their confidences do not."""
        sure, surer = (make_prediction(digit=7, confidence=each) for each in (0.925, 0.935))
        eve = make_user("eve")
        for one, other in ((sure, surer), (surer, sure)):
            for made, digit in ((one, 1), (other, 2)):
                correct(Prediction.objects.filter(pk=made.pk), Answer(digit), by=eve)
            catch_up()
            assert stored() == recount()

    def test_who_repeats_their_own_answer_agrees_with_nobody(
        self, live_version: ModelVersion
    ) -> None:
        made = make_prediction(digit=7)
        eve, kim = make_user("eve"), make_user("kim")
        for person, digit in ((eve, 3), (eve, 4), (eve, 3), (kim, 3)):
            decisions.label_by_feedback(made, Answer(digit), owner=Owner(user_id=person.pk))
        catch_up()
        first, agrees, differs = MonthFlow.objects.get().acts.sum(axis=0)[:3].tolist()
        assert (first, agrees, differs) == (3, 1, 0)

    def test_the_last_minute_of_january_counts_in_january(self, live_version: ModelVersion) -> None:
        late = datetime(2026, 2, 1, 4, 59, tzinfo=UTC)  # 23:59 in New York
        make_prediction(created_at=late)
        make_prediction(created_at=late + timedelta(minutes=1))
        catch_up()
        assert sorted(str(key.day) for key in stored()) == ["2026-01-31", "2026-02-01"]

    def test_nothing_new_changes_nothing(self, live_version: ModelVersion) -> None:
        make_prediction()
        catch_up()
        before = Mark.objects.get().changes
        catch_up()
        assert Mark.objects.get().changes == before

    def test_a_step_that_comes_second_counts_nothing(self, live_version: ModelVersion) -> None:
        make_prediction()
        at = marks()
        to = counting.log.bounds(at)
        tally, _ = counting.of_predictions(at, to)
        catch_up()
        assert not counting.write_counts(tally, at, to)
        assert stored() == recount()

    def test_marks_that_another_moved_further_do_not_go_back(
        self, live_version: ModelVersion, monkeypatch: Any
    ) -> None:
        """Somebody is overtaken in the middle of a step by one who looked later."""
        make_prediction()
        bounds, work_out = counting.log.bounds, counting.of_predictions

        def overtaken(at: LogMarks, to: LogMarks) -> Any:
            monkeypatch.setattr(counting, "of_predictions", work_out)
            make_prediction()
            with monkeypatch.context() as patch:
                patch.setattr(counting, "take_lease", lambda: True)
                catch_up()
            return work_out(at, to)

        monkeypatch.setattr(counting, "of_predictions", overtaken)
        catch_up()
        assert marks() == bounds(LogMarks())
        assert stored() == recount()

    def test_who_finds_another_counting_leaves_it_to_them(self, live_version: ModelVersion) -> None:
        make_prediction()
        Mark.objects.create(pk=1, busy_until=datetime(2999, 1, 1, tzinfo=UTC))
        catch_up()
        assert stored() == {}
        Mark.objects.update(busy_until=SPRING)  # whoever it was is gone
        catch_up()
        assert stored() == recount()

    def test_a_page_has_a_little_counted_and_not_at_every_look(
        self, live_version: ModelVersion, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(counting, "PREDICTIONS_AT_ONCE", 20)
        monkeypatch.setattr(counting, "A_MOMENT", 0)
        for _ in range(5):
            make_prediction()
        counting.watch.count_if_due()
        assert sum(count for count, _ in stored().values()) == 2
        counting.watch.count_if_due()
        assert sum(count for count, _ in stored().values()) == 2
        counting.watch.forget()
        counting.watch.count_if_due()
        assert sum(count for count, _ in stored().values()) == 4
