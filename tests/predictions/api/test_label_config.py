"""What a project asks is read from XML that anybody may write."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictions.api.label_config import LONGEST, UnusableConfig, answers_in, question_in

DIGITS = [str(digit) for digit in range(10)]


def config(
    answers: Any = DIGITS, *, about: str = "img", more: str = "", image: str = "$image"
) -> str:
    tags = "".join(f"<Choice value={quoteattr(answer)}/>" for answer in answers)
    return (
        f'<View><Image name="img" value={quoteattr(image)}/>{more}'
        f'<Choices name="digit" toName={quoteattr(about)}>{tags}</Choices></View>'
    )


def test_the_tags_of_a_plain_project_are_found():
    question = question_in(config())
    assert (question.name, question.about, question.image) == ("digit", "img", "image")
    assert question.spelled == {digit: str(digit) for digit in range(10)}


def test_an_answer_is_spelled_as_the_project_spells_it():
    tags = "".join(f'<Choice value="Digit {d}" alias="{d}"/>' for d in range(9))
    tags += '<Choice value="9" alias="nine"/><Choice value="Unreadable"/>'
    question = question_in(config([]).replace("></Choices>", f">{tags}</Choices>"))
    assert question.spelled[3] == "3"
    assert question.spelled[9] == "nine"
    assert question.spelled[None] == "Unreadable"
    assert question.digit_in("nine") == 9
    assert question.digit_in("Unreadable") is None
    with pytest.raises(KeyError):
        question.digit_in("Digit 3")


def test_other_questions_are_passed_over():
    more = (
        '<Text name="txt" value="$text"/><Choices name="mood" toName="txt"><Choice value="1"/>'
        '</Choices><Choices name="kind" toName="img"><Choice value="print"/></Choices>'
    )
    assert question_in(config(more=more)).name == "digit"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not XML"),
        ("<View>", "not XML"),
        ("not xml", "not XML"),
        ("<View/>", "no <Image"),
        (config(image="image"), "no <Image"),
        ('<View><Image name="img" value="$image"/></View>', "no <Choices>"),
        (config(about="other"), "no <Choices>"),
        (config(DIGITS[:7] + DIGITS[9:]), "lack 7, 8"),
        (config() + " " * LONGEST, "longer than"),
        ("\ud800", "not XML"),
        (config().replace("img", "\0"), "not XML"),
    ],
)
def test_what_cannot_be_asked_is_declined_with_the_reason(text: str, said: str):
    with pytest.raises(UnusableConfig, match=said):
        question_in(text)


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "declared",
    [
        f'<!DOCTYPE View [<!ENTITY l0 "lol">{LAUGHS}]>',
        '<!DOCTYPE View [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE View [<!ENTITY % x SYSTEM "http://host/x.dtd"> %x;]>',
        '<!DOCTYPE View SYSTEM "http://host/x.dtd">',
    ],
)
def test_a_document_type_is_refused_before_an_entity_is_defined(declared: str):
    with pytest.raises(UnusableConfig, match="document type"):
        question_in(declared + config())


def test_an_entity_nobody_defined_is_no_xml():
    with pytest.raises(UnusableConfig, match="not XML"):
        question_in(config().replace("<View>", "<View>&secret;"))


@given(st.text(max_size=300))
def test_no_text_does_more_than_be_declined(text: str):
    with pytest.raises(UnusableConfig):
        question_in(text)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["from_name", "value", "choices", "x"]), inner, max_size=3
        )
    ),
    max_leaves=20,
)


@given(anything)
def test_no_result_does_more_than_answer_nothing(result: Any):
    assert not [each for each in answers_in(result, question_in(config())) if each in DIGITS] or (
        isinstance(result, list)
    )


def test_an_answer_to_another_question_is_none():
    def region(name: str, *chosen: str) -> dict[str, Any]:
        return {"from_name": name, "type": "choices", "value": {"choices": list(chosen)}}

    result = [region("mood", "3"), region("digit", "7"), {"from_name": "digit"}, 5]
    assert list(answers_in(result, question_in(config()))) == ["7"]
