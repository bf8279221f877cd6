"""Whatever people do in whatever order, labels follow from events and an undo leaves no trace."""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from labeling.batches import batches
from labeling.batches.bulk import set_verdict
from labeling.batches.selections import as_shown
from labeling.batches.withdrawal import withdraw
from labeling.decisions import decisions
from labeling.decisions.decisions import Answer
from labeling.decisions.trust import give_feedback
from labeling.errors import EmptySelection, LeaseLost, NothingToUndo, StillBlind
from labeling.models import Batch, Label, LabelEvent, QueueItem
from labeling.queue import gold, queue
from labeling.queue.intake import enqueue_new
from labeling.queue.places import place_of
from labeling.standing import standing
from predictions.models import Owner, Prediction
from tests.factories import make_live, make_prediction, make_user, some_glyph
from tests.labeling.digest import as_standing, digest_of_what_stands
from tests.labeling.door import make_gold

DIGITS = st.sampled_from([7, 3, 5, None])
ITEM = st.integers(0, 5)
PERSON = st.integers(0, 2)


SEARCH = settings(max_examples=10, stateful_step_count=20, suppress_health_check=list(HealthCheck))


class Queue(RuleBasedStateMachine):
    """Three labelers, a reviewer, a visitor and six items: every kind there is."""

    django_settings: Any

    @initialize()
    def open_the_queue(self) -> None:
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        make_live()
        self.people = [make_user(f"labeler{at}") for at in range(3)]
        self.reviewer = make_user("rita")
        glyph = some_glyph(1)
        made = [
            make_prediction(confidence=0.99),
            make_prediction(confidence=0.5),
            make_prediction(confidence=0.99, is_audit=True),
            make_prediction(confidence=0.7, glyph=glyph),
            make_prediction(confidence=0.7, glyph=glyph),  # a twin
            make_prediction(confidence=0.7),
        ]
        enqueue_new()
        make_gold(made[5], 4)
        self.items: list[Prediction] = made

    def teardown(self) -> None:
        if hasattr(self, "transaction"):
            transaction.set_rollback(True)
            self.transaction.__exit__(None, None, None)

    def unchanged_by(self, act: Any, take_back: Any) -> None:
        """Do it, take it back, find no trace; then do it for good."""
        enqueue_new()  # a correction does so too, and what came in by that is no trace of it
        before = digest_of_what_stands()
        act()
        take_back()
        assert digest_of_what_stands() == before
        act()

    def answer(self, who: User, item: Prediction, digit: int | None) -> bool:
        token = uuid.uuid4()
        if not queue.lease(who, {item.pk: token}):
            return False
        decisions.decide(
            item.public_id, Answer(digit), labeler=who, token=token, request_id=uuid.uuid4()
        )
        return True

    @rule(who=PERSON, item=ITEM, digit=DIGITS, by_lot=st.booleans())
    def decide(self, who: int, item: int, digit: int | None, by_lot: bool) -> None:
        self.django_settings.SECOND_OPINION_RATE = float(by_lot)
        labeler, about = self.people[who], self.items[item]
        before = digest_of_what_stands()
        if not self.answer(labeler, about, digit):
            return
        decisions.undo(labeler, request_id=uuid.uuid4())
        assert digest_of_what_stands() == before
        assert self.answer(labeler, about, digit)

    @rule(who=PERSON, digit=st.integers(0, 9))
    def answer_gold(self, who: int, digit: int) -> None:
        labeler, about = self.people[who], self.items[5]
        before = digest_of_what_stands()
        with suppress(LeaseLost):  # answered before
            decisions.decide(
                about.public_id, Answer(digit), labeler=labeler, request_id=uuid.uuid4(),
                token=gold.new_gold_token(labeler.pk, about.pk),
            )  # fmt: skip
        assert digest_of_what_stands() == before

    @rule(who=PERSON)
    def undo(self, who: int) -> None:
        try:
            decisions.undo(self.people[who], request_id=uuid.uuid4())
        except NothingToUndo:
            assert not LabelEvent.objects.standing().filter(labeler=self.people[who]).exists()

    @rule(item=ITEM, digit=DIGITS)
    def settle(self, item: int, digit: int | None) -> None:
        about = self.items[item]

        def rule_on_it() -> None:
            decisions.settle(
                about.public_id, Answer(digit), reviewer=self.reviewer, request_id=uuid.uuid4()
            )

        if about.is_audit and not Label.objects.filter(pk=about.pk).exists():
            with pytest.raises(StillBlind):
                rule_on_it()
            return
        self.unchanged_by(
            rule_on_it, lambda: decisions.undo(self.reviewer, request_id=uuid.uuid4())
        )

    @rule(items=st.sets(ITEM, min_size=1), digit=DIGITS)
    def correct(self, items: set[int], digit: int | None) -> None:
        chosen = Prediction.objects.filter(pk__in=[self.items[at].pk for at in items])
        made: list[Batch] = []

        def act() -> None:
            shown = as_shown(chosen)
            made.append(set_verdict(shown, Answer(digit), by=self.reviewer, chosen_by={}).batch)

        with suppress(EmptySelection):  # an audit that waits for a blind answer
            self.unchanged_by(act, lambda: batches.undo_batch(made[-1], by=self.reviewer))

    @precondition(lambda self: Batch.objects.filter(undone_at__isnull=True).exists())
    @rule(data=st.data())
    def take_back_a_batch(self, data: st.DataObject) -> None:
        standing_batches = Batch.objects.filter(undone_at__isnull=True).order_by("made_at")
        batch = standing_batches[data.draw(st.integers(0, standing_batches.count() - 1))]
        batches.undo_batch(batch, by=self.reviewer)

    @rule(who=st.integers(0, 3))
    def withdraw(self, who: int) -> None:
        """Everything one person said, and that taken back."""
        person = [*self.people, self.reviewer][who]
        before = digest_of_what_stands()
        try:
            batch = withdraw(person, by=self.reviewer)
        except EmptySelection:
            assert not LabelEvent.objects.standing().filter(labeler=person).exists()
            return
        assert not LabelEvent.objects.standing().filter(labeler=person).exists()
        batches.undo_batch(batch, by=self.reviewer)
        assert digest_of_what_stands() == before
        withdraw(person, by=self.reviewer)

    @rule(who=PERSON, item=ITEM)
    def skip(self, who: int, item: int) -> None:
        token = uuid.uuid4()
        if queue.lease(self.people[who], {self.items[item].pk: token}):
            queue.skip(self.people[who], self.items[item].public_id, token=token)

    @rule(item=ITEM, digit=DIGITS)
    def claim_by_a_visitor(self, item: int, digit: int | None) -> None:
        give_feedback(self.items[item], digit=digit, owner=Owner(visitor=uuid.UUID(int=1)))
        enqueue_new()

    @rule(item=ITEM, digit=DIGITS, who=st.none() | PERSON)
    def trusted_word(self, item: int, digit: int | None, who: int | None) -> None:
        owner = Owner(visitor=uuid.UUID(int=1))
        if who is not None:
            owner = Owner(user_id=self.people[who].pk)
        before = digest_of_what_stands()
        said = decisions.label_by_feedback(self.items[item], Answer(digit), owner=owner)
        if said is not None and who is not None:
            decisions.undo(self.people[who], request_id=uuid.uuid4())
            assert digest_of_what_stands() == before

    @invariant()
    def nothing_of_a_batch_taken_back_stands(self) -> None:
        if hasattr(self, "items"):
            standing_events = LabelEvent.objects.standing()
            assert not standing_events.filter(batch__undone_at__isnull=False).exists()

    @invariant()
    def no_event_is_reversed_twice_at_once(self) -> None:
        if not hasattr(self, "items"):
            return
        events = list(LabelEvent.objects.all())
        redone = {event.reverses_id for event in events if event.kind == "redo"}
        undone = [e.reverses_id for e in events if e.kind == "undo" and e.pk not in redone]
        assert len(undone) == len(set(undone))
        standing_ids = set(LabelEvent.objects.standing().values_list("pk", flat=True))
        assert standing_ids == {e.pk for e in events if not e.is_reversal} - set(undone)

    @invariant()
    def labels_and_places_follow_from_the_events(self) -> None:
        if not hasattr(self, "items"):
            return
        labels = Label.objects.in_bulk()
        for item in QueueItem.objects.all():
            stands = standing(LabelEvent.objects.filter(prediction=item.pk).order_by("pk"))
            label = labels.get(item.pk)
            assert stands == (label and as_standing(label))
            assert (item.is_open, item.stream) == place_of(item, stands)


@pytest.mark.django_db
def test_an_undo_leaves_no_trace_and_labels_follow_from_events(settings: Any):
    Queue.django_settings = settings
    run_state_machine_as_test(Queue, settings=SEARCH)
