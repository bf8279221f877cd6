"""Label Studio's JSON: a list of tasks, each with an image, annotations and predictions.

Its labeling interface must offer the eleven choices, for instance:

    <View><Image name="image" value="$image"/><Choices name="digit" toName="image">
    <Choice value="0"/> … <Choice value="9"/><Choice value="unreadable"/></Choices></View>

Images are data URLs, or URLs of our own pictures, which name their predictions. No URL is ever
fetched.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, TextIO
from uuid import UUID

from labeling.decisions.decisions import Answer
from labeling.files.formats.rows import (
    UNLABELED,
    FoundImage,
    Items,
    Labeled,
    Refused,
    verdict_called,
)
from predictions.api.label_studio import prediction_at
from predictions.errors import ImageRefused
from predictions.glyphs.images import data_url, image_from_data_url

PIECE: Final = 1 << 16  # characters per read
LONGEST: Final = 4_000_000  # characters of one task; its image has at most 2 MB


# -- out ------------------------------------------------------------------------------------------


def write(labels: Iterable[Labeled]) -> Iterator[bytes]:
    """Yield a list of tasks, each with one annotation and one prediction of the model."""
    before = "[\n"
    for label in labels:
        yield (before + json.dumps(task(label))).encode()
        before = ",\n"
    yield b"\n]\n" if before != "[\n" else b"[]\n"


def task(label: Labeled) -> dict[str, Any]:
    return {
        "data": {"image": data_url(label.glyph), "id": str(label.id)},
        "annotations": [{"result": [choice_result(label.value)], "was_cancelled": False}],
        "predictions": [
            {
                "model_version": label.model,
                "score": label.confidence,
                "result": [choice_result(str(label.predicted))],
            }
        ],
    }


def choice_result(value: str) -> dict[str, Any]:
    return {
        "from_name": "digit",
        "to_name": "image",
        "type": "choices",
        "value": {"choices": [value]},
    }


# -- in -------------------------------------------------------------------------------------------


class BadTask(Exception):
    """A task that cannot be imported, and why."""


def read(name: str, file: TextIO) -> Items:
    """Tasks are counted from 1."""
    number = 0
    try:
        for number, each in enumerate(members_of_list(file), start=1):
            yield from_task(f"{name} task {number}", each)
    except (ValueError, RecursionError):
        yield Refused(f"{name} task {number + 1}", "from here on the JSON cannot be read")


def members_of_list(file: TextIO) -> Iterator[Any]:
    """Yield the members of a JSON list one by one, without loading the whole list."""
    text = Text(file)
    text.expect("[")
    if text.next_letter() == "]":
        return
    while True:
        yield text.member()
        if text.next_letter() == "]":
            return
        text.expect(",")


class Text:
    """JSON text that is read piece by piece."""

    def __init__(self, file: TextIO) -> None:
        self.file, self.text, self.at = file, "", 0
        self.decoder = json.JSONDecoder()

    def more(self) -> bool:
        """Read as much again as is left, so that a long member is parsed few times."""
        left = self.text[self.at :]
        read = self.file.read(max(PIECE, len(left)))
        self.text, self.at = left + read, 0
        return bool(read)

    def next_letter(self) -> str:
        """Return the next character that is no space, without consuming it; "" at the end."""
        while True:
            while self.at < len(self.text):
                if not self.text[self.at].isspace():
                    return self.text[self.at]
                self.at += 1
            if not self.more():
                return ""

    def expect(self, letter: str) -> None:
        if self.next_letter() != letter:
            raise ValueError(f"There is no {letter}.")
        self.at += 1

    def member(self) -> Any:
        self.next_letter()
        while True:
            try:
                found, end = self.decoder.raw_decode(self.text, self.at)
            except ValueError:
                if len(self.text) - self.at > LONGEST or not self.more():
                    raise
                continue
            if end < len(self.text) or not self.more():  # at the end, a number might continue
                self.at = end
                return found


def from_task(name: str, task: Any) -> FoundImage | Refused:
    try:
        image = task["data"]["image"]
        if not isinstance(image, str):
            raise BadTask("its image is not text")
        verdict = verdict_of(task.get("annotations") or [])
        if image.startswith("data:"):
            return FoundImage(name, image_from_data_url(image), verdict)
        return FoundImage(name, None, verdict, prediction=own_prediction(image))
    except (KeyError, TypeError, AttributeError):
        return Refused(name, "it is no task with data.image")
    except (BadTask, ImageRefused) as refused:
        return Refused(name, str(refused))


def own_prediction(address: str) -> UUID:
    """Return the prediction that one of our URLs names; any other URL is refused."""
    public_id = prediction_at(address)
    if public_id is None:
        raise BadTask("its image lies at an address, and addresses are not fetched")
    return public_id


def verdict_of(annotations: list[Any]) -> Answer | None:
    """Return the verdict on which all annotations agree; None if nobody chose anything."""
    said = {
        value for each in annotations if not each.get("was_cancelled") for value in chosen(each)
    }
    if len(said) > 1:
        raise BadTask(f"its annotations disagree: {', '.join(sorted(said))}")
    try:
        return verdict_called(said.pop()) if said else None
    except KeyError:
        raise BadTask("its choice is neither a digit from 0 to 9 nor unreadable") from None


def chosen(annotation: Any) -> Iterator[str]:
    for result in annotation.get("result") or []:
        if result.get("type") == "choices":
            choices = result["value"]["choices"]
            if len(choices) != 1 or str(choices[0]).lower() == UNLABELED:
                raise BadTask("it needs one choice")
            yield str(choices[0]).strip().lower()
