"""Suspicious labels: found by confident learning, sent back blind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from labeling.batches.batches import restate_many, undo_batch
from labeling.batches.gold_items import add_gold
from labeling.batches.selections import as_shown
from labeling.batches.suspicion import precision, send_suspicious_to_review, suspects, suspicion
from labeling.decisions.decisions import Answer, settle
from labeling.errors import EmptySelection
from labeling.models import Ask, Label, LabelEvent, QueueItem, Stream
from predictions.models import Prediction
from tests.factories import make_ada, make_ben, make_user
from tests.labeling.door import Door, make_item, place


def labeled(guess: int, digit: int, *, confidence: float = 0.9, **fields: Any) -> Prediction:
    """An item Ada labeled, whatever the model said."""
    from django.contrib.auth.models import User

    ada = User.objects.filter(username="ada").first() or make_ada()
    item = make_item(digit=guess, confidence=confidence, **fields)
    LabelEvent.objects.create(prediction=item, kind="label", digit=digit, labeler=ada)
    restate_many([item.pk])
    return item


class TestTheScore:
    def test_a_hand_computed_case(self):
        probabilities = np.full((4, 10), 0.01, dtype=np.float32)
        probabilities[0, 3], probabilities[1, 3] = 0.9, 0.7  # labeled 3: the mean is 0.8
        probabilities[2, 5] = 0.6  # labeled 5, and the threshold of 5 is (0.6 + 0.1) / 2
        probabilities[3, 3], probabilities[3, 5] = 0.85, 0.1  # labeled 5, but confidently a 3
        flagged, scores = suspicion(probabilities, np.array([3, 3, 5, 5]))
        assert flagged.tolist() == [False, False, False, True]
        assert scores[3] == pytest.approx(0.75)
        assert scores[0] == pytest.approx(0.01 - 0.9)

    def test_an_unsure_other_digit_is_no_reason(self):
        probabilities = np.full((3, 10), 0.01, dtype=np.float32)
        probabilities[0, 3] = probabilities[1, 3] = 0.9
        probabilities[2, 3], probabilities[2, 5] = 0.5, 0.4  # 0.5 is below what a 3 usually gets
        flagged, _ = suspicion(probabilities, np.array([3, 3, 5]))
        assert not flagged[2]

    def test_planted_errors_are_ranked_first(self):
        dice = np.random.default_rng(0)
        truth = dice.integers(0, 10, 2_000)
        logits = dice.normal(0, 1, (2_000, 10))
        logits[np.arange(2_000), truth] += 6
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        labels = truth.copy()
        labels[:60] = (labels[:60] + 1 + dice.integers(0, 9, 60)) % 10
        flagged, scores = suspicion(probabilities.astype(np.float32), labels)
        wrong = labels != truth
        assert wrong[flagged].mean() > 0.9  # of what it flags
        assert flagged[wrong].mean() > 0.75  # of what there is
        assert scores[flagged & wrong].mean() > scores[~wrong].mean() + 1


@pytest.mark.django_db
class TestSending:
    def test_the_most_suspicious_goes_back_and_its_label_stands(self):
        for _ in range(5):
            labeled(3, 3)
        less, most = labeled(3, 5, confidence=0.92), labeled(3, 8, confidence=0.99)
        batch = send_suspicious_to_review(1, by=make_ben())
        assert [ask.prediction_id for ask in batch.asks.all()] == [most.pk]
        assert place(most) == (True, Stream.REVIEW)
        assert place(less)[0] is False
        label = Label.objects.get(pk=most.pk)
        assert (label.digit, label.state) == (8, Label.State.SETTLED)

    def test_it_comes_back_blind_and_to_somebody_else(self, settings: Any):
        settings.SHOW_GUESSES = True
        for _ in range(3):
            labeled(3, 3)
        odd = labeled(3, 5, confidence=0.99)
        send_suspicious_to_review(10, by=None)
        from django.contrib.auth.models import User

        assert Door(User.objects.get(username="ada")).items() == []
        item = Door(make_user("eve", role="labeler")).item()
        assert item["id"] == str(odd.public_id)
        assert item["guess"] is None
        assert "digit" not in item

    def test_audits_and_gold_are_never_sent(self):
        for _ in range(3):
            labeled(3, 3)
        labeled(3, 5, confidence=0.99, is_audit=True)
        gold = labeled(3, 8, confidence=0.99)
        add_gold(as_shown(Prediction.objects.filter(pk=gold.pk)), by=None)
        assert suspects() == []
        with pytest.raises(EmptySelection):
            send_suspicious_to_review(10, by=None)
        assert not Ask.objects.exists()

    def test_nothing_is_sent_twice(self):
        for _ in range(3):
            labeled(3, 3)
        labeled(3, 5, confidence=0.99)
        send_suspicious_to_review(10, by=None)
        with pytest.raises(EmptySelection):
            send_suspicious_to_review(10, by=None)

    def test_undo_gives_the_place_back_and_the_suspect(self):
        for _ in range(3):
            labeled(3, 3)
        odd = labeled(3, 5, confidence=0.99)
        before = QueueItem.objects.values().get(pk=odd.pk)
        batch = send_suspicious_to_review(10, by=None)
        undo_batch(batch, by=make_ben())
        assert QueueItem.objects.values().get(pk=odd.pk) == before
        assert [suspect.prediction_id for suspect in suspects()] == [odd.pk]

    def test_another_opinion_confirms_or_disputes_and_precision_says_how_often(self):
        for _ in range(3):
            labeled(3, 3)
        wrong, fine = labeled(3, 5, confidence=0.99), labeled(3, 8, confidence=0.98)
        send_suspicious_to_review(10, by=None)
        assert precision().n == 0
        eve = Door(make_user("eve", role="labeler"))
        for _ in range(2):
            item = eve.item()
            eve.label(item, 3 if item["id"] == str(wrong.public_id) else 8)
        assert Label.objects.get(pk=fine.pk).state == Label.State.SETTLED
        assert place(fine)[0] is False
        assert Label.objects.get(pk=wrong.pk).state == Label.State.AWAITING
        assert (precision().hits, precision().n) == (0, 1)
        reviewer = make_user("rita", role="reviewer")
        settle(wrong.public_id, Answer(3), reviewer=reviewer, request_id=wrong.public_id)
        assert (precision().hits, precision().n) == (1, 2)

    def test_taking_that_opinion_back_puts_it_back_in_review(self):
        for _ in range(3):
            labeled(3, 3)
        odd = labeled(3, 5, confidence=0.99)
        send_suspicious_to_review(10, by=None)
        eve = Door(make_user("eve", role="labeler"))
        eve.label(eve.item(), 3)
        assert place(odd) == (True, Stream.SECOND)
        eve.undo()
        assert place(odd) == (True, Stream.REVIEW)

    def test_the_command_lists_and_sends_only_when_told(self, capsys: Any):
        for _ in range(3):
            labeled(3, 3)
        odd = labeled(3, 5, confidence=0.99)
        call_command("suspects")
        assert str(odd.public_id) in capsys.readouterr().out
        assert not Ask.objects.exists()
        call_command("suspects", yes=True)
        assert Ask.objects.count() == 1
        with pytest.raises(CommandError):
            call_command("suspects", yes=True)
