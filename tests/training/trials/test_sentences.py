"""What is said about a trial is true for any counts, also for none."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.trials.sentences import Told, sentences

counts = st.integers(0, 12_000)
told = st.builds(
    Told,
    candidate=st.just("base-1+2"),
    against=st.just("base-1"),
    state=st.sampled_from(["under_way", "promoted", "won", "no_better", "harm", "overtaken"]),
    drawings=counts, differ=counts, better=counts, worse=counts, neither=counts, waiting=counts,
    audits_waiting=counts, presumed=counts, behind=counts, left_out=counts,
    people=st.integers(0, 5), by_few=counts, drawings_to_go=st.none() | counts,
    answers_to_go=st.none() | counts,
    reason=st.just("a gain worth having is ruled out."),
)  # fmt: skip


def said(**fields: object) -> str:
    return " ".join(sentences(Told("base-1+2", "base-1", "under_way", **fields)))  # type: ignore[arg-type]


@given(told)
def test_every_sentence_ends_and_no_number_stands_with_the_wrong_noun(found: Told):
    for sentence in sentences(found):
        assert sentence.endswith(".")
        assert not re.search(r"(?<![\d,])1 (drawings|more drawings|new drawings)", sentence)
        assert not re.search(r"\b(0|[2-9]|\d\d+) (more |new )?drawing\b", sentence)


def test_nothing_yet():
    assert said() == (
        "No new drawing has been read by both versions yet. "
        "The next drawings will tell; nobody needs to label anything now."
    )


def test_as_the_product_promises_it():
    assert said(drawings=1_240, differ=3, drawings_to_go=900) == (
        "The two versions read 1,240 new drawings alike but for 3. "
        "About 900 more drawings will tell; nobody needs to label anything now."
    )
    assert said(drawings=1_240, differ=21, better=11, worse=1, waiting=9, answers_to_go=5) == (
        "On 1,240 new drawings base-1+2 mended 11 and broke 1 so far. "
        "9 drawings wait for an answer."
    )


def test_audits_that_wait_are_told_apart_from_what_the_queue_asks_first():
    assert said(drawings=40, differ=3, better=1, audits_waiting=2) == (
        "On 40 new drawings base-1+2 mended 1 and broke 0 so far. "
        "2 of these are audits that wait for an answer, in the order of audits."
    )
    assert said(drawings=40, differ=3, waiting=1, audits_waiting=2).endswith(
        "1 drawing waits for an answer."
    )


def test_audits_that_are_presumed_broken_are_told():
    assert said(drawings=40, differ=6, better=5, presumed=1) == (
        "On 40 new drawings base-1+2 mended 5 and broke 0. "
        "The next drawings will tell; nobody needs to label anything now. "
        "1 more is an audit by the only person who labels here, who did not correct base-1: "
        "it counts as broken."
    )
    assert "2 more are audits by" in (told := said(drawings=40, differ=6, presumed=2))
    assert told.endswith("they count as broken.")


def test_a_guess_is_not_told_as_a_number():
    assert "drawings will tell" in said(drawings=32, differ=0, drawings_to_go=6_560)
    assert "6,5" not in said(drawings=32, differ=2, better=2, drawings_to_go=6_560)
    assert "About 2,500 more drawings" in said(
        drawings=96, differ=3, better=3, drawings_to_go=2_531
    )
    assert "About 7 more drawings" in said(drawings=96, differ=3, better=3, drawings_to_go=7)


def test_it_is_live_only_while_it_is():
    live = Told("b", "a", "promoted", drawings=40, differ=9, better=9, live_since="Nov 30, 2:02 PM")
    assert sentences(live)[1] == "It is live since Nov 30, 2:02 PM."
    gone = Told("b", "a", "promoted", drawings=40, differ=9, better=9)
    assert sentences(gone)[1] == "It went live."


@pytest.mark.parametrize(
    ("drawings", "by_few", "people", "end"),
    [
        (40, 38, 1, "All but 2 of these drawings are by one person"),
        (40, 40, 1, "All of these drawings are by one person"),
        (40, 39, 3, "All but 1 of these drawings are by 3 people"),
        (40, 2, 1, "Nearly all drawings here are by one person"),
    ],
)
def test_for_few_people_it_says_whom_it_is_about(drawings: int, by_few: int, people: int, end: str):
    assert end in said(drawings=drawings, by_few=by_few, people=people)
    assert "people" not in said(drawings=drawings, by_few=by_few)
