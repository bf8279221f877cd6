"""What a trial's answers decide, and what they leave open."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.trials.evidence import LEVEL, Verdict, Weighed, few_of, needed, weigh
from training.trials.harm import Kind
from training.trials.outcomes import Outcome

ONE = {"ada": 0.9}  # whose site it is
THREE = {"ada": 0.4, "ben": 0.3, "cy": 0.2}
MANY = {f"visitor {at}": 0.02 for at in range(50)}


def outcomes(
    *marks: str, authors: Sequence[str] = ("ada",), digits: Iterable[int] = range(10)
) -> list[Outcome]:
    """Mended (+), broken (-) or misread by both (0); authors and digits take turns."""
    made = []
    digits = list(digits)
    for at, mark in enumerate("".join(marks)):
        truth, author = digits[at % len(digits)], authors[at % len(authors)]
        wrong, wronger = (truth + 1 + at % 3) % 10, (truth + 4 + at % 3) % 10
        live = truth if mark == "-" else wrong
        made.append(Outcome(author, truth, live, {"+": truth, "-": wrong, "0": wronger}[mark]))
    return made


def weighed(made: Sequence[Outcome], **changed: Any) -> Weighed:
    drawings = changed.pop("drawings", 1_000 + len(made))
    given = {
        "agreed_by_digit": [(drawings - len(made)) // 10] * 10,
        "drawings": drawings,
        "shares": ONE,
        "number": 1,
        "error_rate": 0.02,
    }
    return weigh(made, **{**given, **changed})


# -- better --------------------------------------------------------------------------------------


def test_six_mended_drawings_of_one_person_promote_and_five_do_not() -> None:
    assert weighed(outcomes("+" * 6)).verdict is Verdict.PROMOTE
    assert weighed(outcomes("+" * 5)).verdict is Verdict.MORE


def test_so_do_six_of_six_visitors() -> None:
    made = outcomes("+" * 6, authors=list(MANY))
    assert weighed(made, shares=MANY).verdict is Verdict.PROMOTE
    assert weighed(made[:5], shares=MANY).verdict is Verdict.MORE


def test_eleven_mended_and_one_broken_of_a_dozen_visitors_promote() -> None:
    made = outcomes("+" * 11, "-", authors=list(MANY))
    assert weighed(made, shares=MANY).verdict is Verdict.PROMOTE
    assert weighed([*made[:8], made[-1]], shares=MANY).verdict is Verdict.MORE


def test_equal_versions_are_not_told_apart() -> None:
    found = weighed(outcomes("+-" * 20))
    assert found.verdict is Verdict.MORE
    assert found.e_value < 1
    assert (found.better, found.worse, found.neither) == (20, 20, 0)


def test_drawings_that_both_misread_say_nothing_about_which_is_better() -> None:
    found = weighed(outcomes("+" * 7, "0" * 40))
    assert found.neither == 40
    assert found.e_value == pytest.approx(weighed(outcomes("+" * 7)).e_value)


def test_each_later_candidate_needs_more_evidence_and_all_together_keep_the_level() -> None:
    made = outcomes("+" * 8)
    assert weighed(made, number=2).verdict is Verdict.MORE
    assert weighed(outcomes("+" * 11), number=2).verdict is Verdict.PROMOTE
    assert sum(1 / needed(number) for number in range(1, 2_000)) < LEVEL


def test_a_person_who_is_not_alone_does_not_decide_alone() -> None:
    drawn = outcomes("+" * 20, authors=["ada"])
    alone = weighed(drawn, shares=THREE)
    assert (alone.verdict, alone.nobody_else) == (Verdict.MORE, True)
    hardly = weighed([*drawn, *outcomes("++", authors=["ben", "cy"])], shares=THREE)
    assert (hardly.verdict, hardly.nobody_else) == (Verdict.MORE, True)
    joined = weighed([*drawn, *outcomes("+++", authors=["ben", "cy"])], shares=THREE)
    assert (joined.verdict, joined.nobody_else) == (Verdict.PROMOTE, False)


def test_one_of_many_decides_nothing_however_much_is_mended_for_this_one() -> None:
    found = weighed(outcomes("+" * 500, authors=["visitor 0"]), shares=MANY)
    assert found.verdict is Verdict.MORE
    assert found.e_value < 4
    assert found.nobody_else


@pytest.mark.parametrize(
    ("shares", "few"),
    [
        ({}, 0),
        ({"ada": 0.79, "ben": 0.005}, 0),
        ({"ada": 0.80}, 1),
        ({"ada": 0.5, "ben": 0.4}, 2),
        (dict.fromkeys("abcde", 0.17), 5),
        (dict.fromkeys("abcdef", 0.16), 5),
        (dict.fromkeys("abcdefg", 0.14), 0),
    ],
)
def test_the_few_are_the_fewest_who_draw_four_fifths(shares: dict[str, float], few: int) -> None:
    assert len(few_of(shares)) == few
    assert weighed([], shares=shares).people == few


def test_what_is_presumed_counts_against_a_promotion_and_ends_no_trial() -> None:
    made, silent = outcomes("+" * 7), outcomes("-")
    held = weighed(made, presumed=silent)
    assert held.verdict is Verdict.MORE
    assert held.e_value == pytest.approx(weighed([*made, *silent]).e_value)
    assert (held.better, held.worse) == (7, 0)
    assert weighed([*made, *outcomes("+" * 3)], presumed=silent).verdict is Verdict.PROMOTE
    many = outcomes("-" * 12, digits=[7])
    assert weighed(many).verdict is Verdict.HARM
    assert weighed([], presumed=many).verdict is Verdict.MORE


# -- harm ----------------------------------------------------------------------------------------


def test_a_digit_that_is_read_worse_holds_the_promotion_until_drawings_speak_for_it() -> None:
    mended, broken = outcomes("+" * 30, digits=[1, 2, 3]), outcomes("----", digits=[7])
    held = weighed([*mended, *broken])
    assert held.verdict is Verdict.MORE
    assert [(each.kind, each.digit) for each in held.holds] == [(Kind.DIGIT, 7)]
    assert (held.holds[0].better, held.holds[0].worse, held.holds[0].drawings) == (0, 4, 104)
    again = weighed([*mended, *broken], drawings=5_000)
    assert again.verdict is Verdict.PROMOTE  # 4 of 500 are within the margin
    cleared = weighed([*mended, *broken, *outcomes("+" * 3, digits=[7])])
    assert cleared.verdict is Verdict.PROMOTE


def test_a_digit_that_is_lost_ends_the_trial() -> None:
    mended = outcomes("+" * 30, digits=[1, 2, 3])
    assert weighed([*mended, *outcomes("-" * 9, digits=[7])]).verdict is Verdict.MORE
    ended = weighed([*mended, *outcomes("-" * 12, digits=[7])])
    assert ended.verdict is Verdict.HARM
    assert ended.drawings_to_go is ended.answers_to_go is None


def test_a_digit_taken_for_one_other_more_often_holds_though_as_many_are_mended() -> None:
    sevens = [Outcome("ada", 7, 7, 1)] * 6 + [Outcome("ada", 7, 9, 7)] * 6
    held = weighed([*outcomes("+" * 30, digits=[2, 3]), *sevens])
    assert [(each.kind, each.digit, each.read_as) for each in held.holds] == [(Kind.CELL, 7, 1)]
    assert held.verdict is Verdict.MORE


def test_errors_that_change_their_kind_count_for_the_confusion_only() -> None:
    found = weighed([Outcome("ada", 7, 9, 1)] * 8)
    assert [(each.kind, each.read_as) for each in found.holds] == [(Kind.CELL, 1)]


def test_a_misreading_that_only_moves_between_drawings_is_no_new_confusion() -> None:
    moved = [Outcome("ada", 7, 7, 1)] * 6 + [Outcome("ada", 7, 1, 9)] * 6
    cells = {each.read_as for each in weighed(moved).holds if each.kind is Kind.CELL}
    assert cells == {9}


def test_one_of_a_few_people_whose_drawings_are_read_worse_holds_the_promotion() -> None:
    made = [*outcomes("+" * 20, authors=["ada", "ben"]), *outcomes("----", authors=["cy"])]
    held = weighed(made, shares=THREE, drawings=50_000, error_rate=1e-4)
    assert (held.verdict, [each.kind for each in held.holds]) == (Verdict.MORE, [Kind.PERSON])
    guests = [*outcomes("+" * 20), *outcomes("----", authors=["guest 1", "guest 2"])]
    assert [each.kind for each in weighed(guests, drawings=50_000, error_rate=1e-4).holds] == [
        Kind.OTHERS
    ]
    assert weighed(guests, shares=MANY, drawings=50_000, error_rate=1e-4).holds == ()


# -- no better -----------------------------------------------------------------------------------


def test_versions_that_read_alike_end_the_trial_without_an_answer() -> None:
    assert weighed([], drawings=1_000).verdict is Verdict.MORE
    found = weighed([], drawings=2_000)
    assert found.verdict is Verdict.NO_BETTER
    assert found.worthwhile == pytest.approx(0.004)


def test_what_waits_for_an_answer_may_still_be_better() -> None:
    assert weighed([], drawings=2_000, pending=20).verdict is Verdict.MORE


def test_a_version_that_is_worse_ends_soon() -> None:
    assert weighed(outcomes("-" * 9, digits=range(10))).verdict is Verdict.NO_BETTER


def test_errors_counted_in_the_trial_raise_what_is_worth_having() -> None:
    found = weighed(outcomes("+" * 20, "0" * 20, "-" * 20), drawings=1_000, error_rate=0.001)
    assert found.worthwhile == pytest.approx(0.2 * 40 / 1_000)


# -- what it takes -------------------------------------------------------------------------------


def test_nothing_counted_yet_is_too_early_to_say() -> None:
    found = weighed([], drawings=0)
    assert found.verdict is Verdict.MORE
    assert (found.e_value, found.futility) == pytest.approx((1, 1))
    assert found.drawings_to_go
    assert found.answers_to_go


def test_answers_to_what_waits_decide_without_more_drawings() -> None:
    found = weighed(outcomes("+" * 5), pending=9)
    assert (found.drawings_to_go, found.answers_to_go) == (0, 1)


def test_it_needs_fewer_answers_the_more_speak_for_it() -> None:
    found = [weighed(outcomes("+" * n, "-"), error_rate=0.001) for n in range(2, 9)]
    needs = [each.answers_to_go or 0 for each in found]
    assert needs == sorted(needs, reverse=True)
    assert needs[0] > 30 > 10 > needs[-1] > 0


def test_drawings_alone_will_end_a_trial_of_two_versions_that_read_alike() -> None:
    found = weighed([], drawings=1_400, error_rate=0.02)
    assert found.answers_to_go == 0
    assert found.drawings_to_go in range(1, 1_000)


# -- whatever the counts -------------------------------------------------------------------------

digit = st.integers(0, 9)
answered = st.builds(
    lambda author, truth, live, off: Outcome(author, truth, live, (live + off) % 10),
    st.sampled_from(["ada", "ben", "cy", "visitor 1", "visitor 2"]),
    digit,
    digit,
    st.integers(1, 9),
)
trials = {
    "made": st.lists(answered, max_size=60),
    "shares": st.sampled_from([{}, ONE, THREE, MANY]),
    "number": st.integers(1, 12),
    "error_rate": st.floats(0, 0.3),
    "pending": st.integers(0, 40),
    "agreed": st.integers(0, 400),
}


def weighed_any(made: list[Outcome], agreed: int, pending: int, **given: Any) -> Weighed:
    drawings = agreed * 10 + len(made) + pending
    return weigh(made, agreed_by_digit=[agreed] * 10, drawings=drawings, pending=pending, **given)


@given(dice=st.randoms(), **trials)
def test_the_order_of_answers_changes_nothing(
    dice: Random, made: list[Outcome], **given: Any
) -> None:
    shuffled = dice.sample(made, len(made))
    before, after = weighed_any(made, **given), weighed_any(shuffled, **given)
    assert after.verdict is before.verdict
    assert after.e_value == pytest.approx(before.e_value)
    assert after.holds == before.holds


@given(**trials)
def test_a_promoted_version_is_ahead_and_only_the_undecided_need_more(
    made: list[Outcome], **given: Any
) -> None:
    found = weighed_any(made, **given)
    if found.verdict is Verdict.PROMOTE:
        assert found.better > found.worse
        assert found.e_value >= found.needed
        assert not found.holds
    open_ends = found.drawings_to_go, found.answers_to_go
    assert (None in open_ends) == (found.verdict is not Verdict.MORE)
    assert found.better + found.worse + found.neither == len(made)
    assert all(math.isfinite(each) for each in (found.e_value, found.futility))


@given(**trials)
def test_one_more_unanswered_drawing_never_ends_a_trial(
    made: list[Outcome], pending: int, **given: Any
) -> None:
    before = weighed_any(made, pending=pending, **given)
    after = weighed_any(made, pending=pending + 1, **given)
    assert after.verdict is before.verdict or before.verdict is Verdict.NO_BETTER
