"""The forms that the pages send without JavaScript."""

from __future__ import annotations

from uuid import UUID

from django import forms

from labeling.decisions.decisions import Answer
from predictions.models import DIGITS, Prediction

UNREADABLE = "unreadable"
SKIP = "skip"
UNDO = "undo"
NEXT = "next"
RIGHT = "right"
NO_DIGIT = "none"
NOTE = "note"
SHOW = "show"
CONFIRM = "confirm"
LAST_KEY = 2**63 - 1  # the largest a row's key can be
VERDICTS = [*((str(digit), str(digit)) for digit in DIGITS), (UNREADABLE, "Unreadable")]


class AnswerForm(forms.Form):
    """One press of a button; an answer names the item and the token of its lease."""

    said = forms.ChoiceField(
        choices=[
            *VERDICTS,
            (SKIP, "Skip"),
            (UNDO, "Undo"),
            (NEXT, "Next"),
            (NOTE, "Note"),
        ]
    )
    item = forms.UUIDField(required=False)
    token = forms.UUIDField(required=False)
    request_id = forms.UUIDField(required=False)
    note = forms.CharField(required=False, max_length=500)
    guess_shown = forms.BooleanField(required=False)
    priority_first = forms.BooleanField(required=False)

    def clean(self) -> dict[str, object]:
        said = super().clean() or {}
        is_answer = said.get("said") not in {UNDO, NEXT}
        if is_answer and not (said.get("item") and said.get("token") and said.get("request_id")):
            raise forms.ValidationError("The answer names no item.")
        if said.get("said") == NOTE and not said.get("note"):
            raise forms.ValidationError("Nothing is written yet.")
        return said

    def verdict(self) -> Answer:
        return answer_said(self.cleaned_data["said"])


class FeedbackForm(forms.Form):
    """What somebody says the drawing is: right, the true digit, or no digit."""

    said = forms.ChoiceField(
        choices=[(RIGHT, "Right"), *((str(d), str(d)) for d in DIGITS), (NO_DIGIT, "Not a digit")],
        error_messages={
            "required": "Say right, the true digit, or not a digit.",
            "invalid_choice": "Say right, the true digit, or not a digit.",
        },
    )

    def digit_for(self, prediction: Prediction) -> int | None:
        said = self.cleaned_data["said"]
        if said == NO_DIGIT:
            return None
        return prediction.digit if said == RIGHT else int(said)


class SettleForm(forms.Form):
    """A reviewer's ruling on one item, or the undo of the last ruling."""

    said = forms.ChoiceField(choices=[*VERDICTS, (UNDO, "Undo")])
    item = forms.UUIDField(required=False)
    request_id = forms.UUIDField()

    def clean(self) -> dict[str, object]:
        said = super().clean() or {}
        if said.get("said") != UNDO and not said.get("item"):
            raise forms.ValidationError("The ruling names no item.")
        return said

    def verdict(self) -> Answer:
        return answer_said(self.cleaned_data["said"])


class TakeBackForm(forms.Form):
    """The event of the answer to undo."""

    event = forms.IntegerField(min_value=1, max_value=LAST_KEY)


class UUIDsField(forms.MultipleChoiceField):
    """Any number of UUIDs; the verb checks whether they exist."""

    def valid_value(self, value: str) -> bool:
        try:
            UUID(value)
        except ValueError:
            return False
        return True

    def clean(self, value: object) -> list[UUID]:
        return [UUID(each) for each in super().clean(value)]


class GridForm(forms.Form):
    """Show a digit's grid, confirm the items shown, or undo a confirmed batch."""

    act = forms.ChoiceField(choices=[(SHOW, "Show"), (CONFIRM, "Confirm"), (UNDO, "Undo")])
    digit = forms.TypedChoiceField(choices=[(d, str(d)) for d in DIGITS], coerce=int)
    token = forms.UUIDField(required=False)
    request_id = forms.UUIDField(required=False)
    batch = forms.UUIDField(required=False)
    ids = UUIDsField(required=False)
    wrong = UUIDsField(required=False)

    def clean(self) -> dict[str, object]:
        said = super().clean() or {}
        needs = {CONFIRM: ("token", "request_id", "ids"), UNDO: ("batch",)}
        if not all(said.get(name) for name in needs.get(str(said.get("act")), ())):
            raise forms.ValidationError("A field of the form is missing.")
        return said


def answer_said(said: str) -> Answer:
    return Answer(None if said == UNREADABLE else int(said))
