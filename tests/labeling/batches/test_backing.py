"""Who stands behind a label, over any history."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labeling.standing import REVERSALS, Past, standing, supporting_events, unreversed, vote_of

KINDS = ("label", "label", "label", "settle", "correct", "undo", "redo")


@st.composite
def histories(draw: st.DrawFn) -> list[Past]:
    """Up to nine events by three people on one item; what can be reversed sometimes is."""
    events: list[Past] = []
    for pk in range(1, draw(st.integers(0, 9)) + 1):
        kind = draw(st.sampled_from(KINDS))
        of = "undo" if kind == "redo" else None
        open_to = [
            event.pk
            for event in events
            if (event.kind == of if of else event.kind not in REVERSALS)
            and all(other.reverses_id != event.pk for other in events)
        ]
        if kind in REVERSALS and not open_to:
            kind = "label"
        reverses = draw(st.sampled_from(open_to)) if kind in REVERSALS else None
        digit = None if reverses else draw(st.sampled_from([3, 4, 5, None]))
        events.append(
            Past(
                pk, kind, digit, digit is None and not reverses, draw(st.integers(1, 3)), None,
                draw(st.booleans()), kind == "label" and draw(st.integers(0, 9)) == 0,
                reverses, 1, None,
            )
        )  # fmt: skip
    return events


@given(histories())
def test_somebody_stands_behind_every_label_and_says_what_it_says(events: list[Past]):
    stands, backing = standing(events), supporting_events(events)
    assert bool(backing) == (stands is not None)
    for event in backing:
        assert stands is not None
        assert vote_of(event) == (stands.digit, stands.is_unreadable)
        assert event in unreversed(events)
    people = [event.labeler_id for event in backing if event.kind == "label"]
    assert len(people) == len(set(people))


@given(histories())
def test_whoever_has_no_part_in_a_label_could_have_been_silent(events: list[Past]):
    people = {event.labeler_id for event in supporting_events(events)}
    without = [e for e in events if e.labeler_id in people or e.kind in REVERSALS]
    before, after = standing(events), standing(without)
    assert (before and (before.digit, before.is_unreadable)) == (
        after and (after.digit, after.is_unreadable)
    )


def said(pk: int, labeler: int, digit: int, kind: str = "label") -> Past:
    return Past(pk, kind, digit, False, labeler, None, False, False, None, 1, None)


def test_everybody_who_confirms_a_ruling_stands_behind_the_label():
    events = [said(1, 1, 4), said(2, 2, 3, "settle"), said(3, 3, 3), said(4, 4, 3)]
    assert [event.pk for event in supporting_events(events)] == [2, 3, 4]


def test_two_of_four_are_no_majority_and_three_of_five_are():
    opinions = [said(pk, pk, digit) for pk, digit in enumerate((3, 3, 4, 5), start=1)]
    stands = standing(opinions)
    assert stands is not None
    assert stands.state == "disputed"
    stands = standing([*opinions, said(5, 5, 3)])
    assert stands is not None
    assert (stands.digit, stands.state) == (3, "settled")
