"""What the pages' forms accept; with and without JavaScript."""

from __future__ import annotations

from django import forms

from predictions.models import DIGITS, Prediction

RIGHT = "right"
NO_DIGIT = "none"


class UploadForm(forms.Form):
    """One image. What is inside is judged by the same guard the API uses."""

    image = forms.FileField(
        label="Image of one digit",
        error_messages={
            "required": "Choose an image first.",
            "empty": "That file is empty.",
        },
    )


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
