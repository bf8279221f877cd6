"""Figures of agreement against published values, and what they are read from."""

from __future__ import annotations

import numpy as np
import pytest
from django.contrib.auth.models import User
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from labeling.decisions.agreement import (
    UNREADABLE,
    between_labelers,
    cohen_kappa,
    krippendorff_alpha,
    rate,
)
from labeling.decisions.decisions import Answer, undo
from labeling.models import Gold, LabelEvent, QueueItem, Stream
from predictions.models import Prediction
from tests.factories import make_ada, make_ben, make_cy, make_user
from tests.labeling.door import Door, make_item

# Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), section C: nominal data of
# four observers, some missing.
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


def counts_of(observers: list[list[int | None]]) -> np.ndarray:
    counts = np.zeros((len(observers[0]), 11), dtype=np.int64)
    for said in observers:
        for item, answer in enumerate(said):
            if answer is not None:
                counts[item, answer] += 1
    return counts


class TestKappa:
    def test_the_textbook_table(self):
        # 50 proposals: both yes 20, both no 15, one alone yes 5, the other alone 10.
        one = [1] * 20 + [1] * 5 + [0] * 10 + [0] * 15
        other = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
        found = cohen_kappa(one, other)
        assert found.value == pytest.approx(0.4)
        assert found.n == 50
        # The large-sample interval of this table is 0.16 to 0.64.
        assert found.low == pytest.approx(0.16, abs=0.04)
        assert found.high == pytest.approx(0.64, abs=0.04)

    def test_a_few_items_and_equal_answers_are_told_without_false_precision(self):
        assert cohen_kappa([1], [1]).in_words == "1 of 30 needed"
        assert cohen_kappa([5] * 40, [5] * 40).in_words == "not known: all answers are equal"
        assert cohen_kappa([1, 2] * 20, [1, 2] * 20).in_words == "1.000"
        assert "(95%: " in cohen_kappa([1, 2] * 20, [1, 1] + [1, 2] * 19).in_words

    def test_full_agreement_is_one_and_a_constant_pair_is_undefined(self):
        assert cohen_kappa([1, 2, 3], [1, 2, 3]).value == pytest.approx(1)
        assert cohen_kappa([5, 5, 5], [5, 5, 5]).value is None
        assert cohen_kappa([], []).value is None

    def test_unreadable_is_an_answer_like_any_other(self):
        assert cohen_kappa([1, UNREADABLE], [1, UNREADABLE]).value == pytest.approx(1)

    def test_the_same_answers_give_the_same_interval(self):
        one, other = [1, 2, 3, 1, 2, 3, 1], [1, 2, 3, 1, 2, 1, 1]
        assert cohen_kappa(one, other) == cohen_kappa(one, other)

    @settings(max_examples=40)
    @given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=1, max_size=40))
    def test_it_hangs_neither_on_order_nor_on_who_is_first(self, pairs: list[tuple[int, int]]):
        one, other = zip(*pairs, strict=True)
        found = cohen_kappa(one, other)
        swapped = cohen_kappa(other, one)
        backwards = cohen_kappa(one[::-1], other[::-1])
        if found.value is None:
            assert swapped.value is None
            return
        assert found.value == pytest.approx(swapped.value or 0.0)
        assert found.value == pytest.approx(backwards.value or 0.0)
        assert found.value <= 1 + 1e-12


class TestAlpha:
    def test_the_published_example(self):
        found = krippendorff_alpha(counts_of(OBSERVERS))
        assert found.value == pytest.approx(0.743, abs=0.0005)
        assert found.n == 11  # one item has a single answer
        assert found.low is not None
        assert found.high is not None
        assert found.low < 0.743 < found.high <= 1

    def test_two_observers_without_gaps(self):
        # Same source, binary data of section A: alpha is 0.095.
        one: list[int | None] = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
        other: list[int | None] = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
        assert krippendorff_alpha(counts_of([one, other])).value == pytest.approx(0.095, abs=5e-4)

    def test_nothing_to_compare_is_no_figure(self):
        assert krippendorff_alpha(counts_of([[1, 2, 3]])).n == 0
        assert krippendorff_alpha(counts_of([[1, 1], [1, 1]])).value is None


@given(n=st.integers(1, 5_000), share=st.floats(0, 1))
def test_a_share_has_its_wilson_interval(n: int, share: float):
    hits = round(n * share)
    found = rate(hits, n)
    assert (found.hits, found.n, found.value) == (hits, n, hits / n)
    interval = binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-7)


def test_nothing_counted_is_no_share():
    assert rate(0, 0).value is None


@pytest.mark.django_db
class TestReading:
    def say(self, item: Prediction, labeler: User, digit: int | None, **fields: object) -> None:
        LabelEvent.objects.create(
            prediction=item,
            kind=LabelEvent.Kind.LABEL,
            digit=digit,
            is_unreadable=digit is None,
            labeler=labeler,
            **fields,
        )

    def overlap(self, *said: tuple[User, int | None]) -> Prediction:
        from labeling.batches.batches import restate_many

        item = make_item()
        for labeler, digit in said:
            self.say(item, labeler, digit)
        restate_many([item.pk])
        return item

    def test_pairs_are_compared_on_what_both_answered(self):
        ada, eve = make_ada(), make_user("eve", role="labeler")
        for digit in (1, 2, 3, None):
            self.overlap((ada, digit), (eve, digit))
        self.overlap((ada, 4), (eve, 9))
        self.overlap((ada, 4))
        found = between_labelers()
        (pair,) = found.pairs
        assert (pair.one, pair.other, pair.kappa.n) == ("ada", "eve", 5)
        # They agree on 4 of 5, and would by chance on 4 of 25.
        assert pair.kappa.value == pytest.approx((0.8 - 0.16) / (1 - 0.16))
        assert found.alpha.n == 5

    def test_what_was_taken_back_no_longer_counts(self):
        ada, eve = make_ada(), make_user("eve", role="labeler")
        self.overlap((ada, 1), (eve, 2))
        undo(eve, request_id=__import__("uuid").uuid4())
        assert between_labelers().pairs == []

    def test_gold_answers_are_accuracy_and_never_overlap(self):
        ada, eve = make_ada(), make_user("eve", role="labeler")
        item = make_item()
        Gold.objects.create(prediction=item, digit=7)
        self.say(item, ada, 7, is_gold=True)
        self.say(item, eve, 1, is_gold=True)
        found = between_labelers()
        assert found.pairs == []
        by_name = {each.labeler: each for each in found.labelers}
        assert (by_name["ada"].gold.hits, by_name["ada"].gold.n, by_name["ada"].labels) == (1, 1, 0)
        assert (by_name["eve"].gold.hits, by_name["eve"].gold.n) == (0, 1)

    def test_reviewers_may_read_it_and_labelers_may_not(self):
        ada, eve = make_ada(), make_user("eve", role="labeler")
        self.overlap((ada, 1), (eve, 1))
        rita = Door(make_user("rita", role="reviewer"))
        body = rita.client.get("/api/v1/labels/agreement/").json()
        assert {each["labeler"] for each in body["labelers"]} == {"ada", "eve"}
        assert body["pairs"][0]["kappa"]["n"] == 1
        assert Door(make_ben()).client.get("/api/v1/labels/agreement/").status_code == 200
        for door, status in ((Door(ada), 403), (Door(make_cy()), 403), (Door(), 401)):
            assert door.client.get("/api/v1/labels/agreement/").status_code == status

    def test_as_many_queries_for_many_labelers_as_for_two(
        self, django_assert_max_num_queries: object
    ):
        people = [make_user(f"l{at}", role="labeler") for at in range(6)]
        for _ in range(10):
            self.overlap(*((person, 1) for person in people))
        assert QueueItem.objects.exclude(stream=Stream.UNSURE).count() == 0
        assert Answer(None).is_unreadable
        with django_assert_max_num_queries(3):  # type: ignore[operator]
            assert len(between_labelers().pairs) == 15
