"""What the label page's form sends when there is no JavaScript."""

from __future__ import annotations

from django import forms

from labeling.decisions import Verdict
from predictions.models import DIGITS

UNREADABLE = "unreadable"
SKIP = "skip"
UNDO = "undo"
NEXT = "next"


class AnswerForm(forms.Form):
    """One press of a button; what is said about an item carries the item and its hold."""

    said = forms.ChoiceField(
        choices=[
            *((str(digit), str(digit)) for digit in DIGITS),
            (UNREADABLE, "Unreadable"),
            (SKIP, "Skip"),
            (UNDO, "Undo"),
            (NEXT, "Next"),
        ]
    )
    item = forms.UUIDField(required=False)
    token = forms.UUIDField(required=False)
    request_id = forms.UUIDField(required=False)
    guess_shown = forms.BooleanField(required=False)

    def clean(self) -> dict[str, object]:
        said = super().clean() or {}
        is_answer = said.get("said") not in {UNDO, NEXT}
        if is_answer and not (said.get("item") and said.get("token") and said.get("request_id")):
            raise forms.ValidationError("The answer names no item.")
        return said

    def verdict(self) -> Verdict:
        said = self.cleaned_data["said"]
        return Verdict(None if said == UNREADABLE else int(said))
