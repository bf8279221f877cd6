"""Read what a Label Studio project asks from its labeling config, which is untrusted XML. A config
with a document type is refused, so that no entity can be defined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from predictions.errors import Declined

LONGEST = 100_000  # characters
DIGITS = {str(digit): digit for digit in range(10)}
UNREADABLE = "unreadable"


class UnusableConfig(Declined):
    """The project asks nothing a digit could answer."""

    code = "label_config_unusable"


@dataclass(frozen=True, slots=True)
class Question:
    """One choice among the ten digits, about one picture of a task."""

    name: str  # of the Choices tag
    about: str  # the name of the Image tag
    image: str  # the key of the picture in a task's data
    spelled: Mapping[int | None, str]  # digit to its text in an answer; None is unreadable

    def digit_in(self, answer: str) -> int | None:
        """The digit of an answer, None for "unreadable"; raise KeyError for any other answer."""
        return {said: digit for digit, said in self.spelled.items()}[answer]


@dataclass(slots=True)
class Choices:
    """A Choices tag while it is read."""

    name: str
    about: list[str]
    answers: list[tuple[str, str]] = field(default_factory=list)  # value, alias

    def spelled(self) -> dict[int | None, str]:
        """Map digits to answers: to the alias if there is one. Either text may be the digit."""
        found: dict[int | None, str] = {}
        for value, alias in self.answers:
            for text in (value.strip(), alias.strip()):
                if text in DIGITS:
                    found.setdefault(DIGITS[text], alias or value)
                elif text.lower() == UNREADABLE:
                    found.setdefault(None, alias or value)
        return found


def question_in(config: str) -> Question:
    """The first choice with all ten digits about an image; decline with what is missing."""
    images, choices = tags_in(config)
    if not images:
        raise UnusableConfig('The labeling config has no <Image name="…" value="$…"/>.')
    about_images = [each for each in choices if set(each.about) & set(images)]
    if not about_images:
        raise UnusableConfig("The labeling config has no <Choices> about its image.")
    for each in about_images:
        spelled = each.spelled()
        if set(DIGITS.values()) <= set(spelled):
            about = next(name for name in each.about if name in images)
            return Question(each.name, about, images[about], spelled)
    missing = sorted(set(DIGITS.values()) - set(about_images[0].spelled()))
    raise UnusableConfig(
        f"The choices {about_images[0].name!r} lack {', '.join(map(str, missing))}."
    )


def tags_in(config: str) -> tuple[dict[str, str], list[Choices]]:
    """The images by name with the key of their value, and the choices in their order."""
    if len(config) > LONGEST:
        raise UnusableConfig(f"The labeling config is longer than {LONGEST:,} characters.")
    images: dict[str, str] = {}
    choices: list[Choices] = []
    open_choices: list[Choices] = []

    def start(tag: str, given: dict[str, str]) -> None:
        if tag == "Image" and given.get("value", "").startswith("$"):
            images[given.get("name", "")] = given["value"][1:]
        elif tag == "Choices":
            about = [name.strip() for name in given.get("toName", "").split(",")]
            open_choices.append(Choices(given.get("name", ""), about))
            choices.append(open_choices[-1])
        elif tag == "Choice" and open_choices:
            open_choices[-1].answers.append((given.get("value", ""), given.get("alias", "")))

    def end(tag: str) -> None:
        if tag == "Choices":
            open_choices.pop()

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = refuse_doctype
    try:
        parser.Parse(config, True)
    except (expat.ExpatError, UnicodeEncodeError) as broken:
        raise UnusableConfig(f"The labeling config is not XML: {broken}.") from None
    return images, choices


def refuse_doctype(*declared: object) -> NoReturn:
    raise UnusableConfig("A labeling config with a document type is not read.")


def answers_in(result: object, question: Question) -> Iterator[str]:
    """The answers to the question in an annotation's result, which is untrusted JSON."""
    for region in result if isinstance(result, list) else []:
        if not isinstance(region, dict) or region.get("from_name") != question.name:
            continue
        value = region.get("value")
        chosen = value.get("choices") if isinstance(value, dict) else None
        if isinstance(chosen, list):
            yield from map(str, chosen)
