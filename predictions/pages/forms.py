"""The forms of the pages, which are used with and without JavaScript."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import forms as auth_forms
from django.contrib.auth.models import User

from predictions.access import tokens


class UploadForm(forms.Form):
    """One image. The same code as in the API checks its content."""

    image = forms.FileField(
        label="Image of one digit",
        error_messages={
            "required": "Choose an image first.",
            "empty": "That file is empty.",
        },
    )


SCOPES = {
    "predict": "read drawings, give feedback, see its own predictions",
    "label": "work in the queue and see labels",
    "train": "start runs, promote, roll back",
    "read": "look at whatever you may see, change nothing",
}


class TokenForm(forms.Form):
    """A new token's name, scopes and days."""

    name = forms.CharField(
        max_length=60, help_text="The program that will use it, for example “lab robot”."
    )
    scopes = forms.MultipleChoiceField(
        label="May",
        choices=[(scope, f"{scope}: {what}") for scope, what in SCOPES.items()],
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        most = settings.TOKEN_DAYS
        said = f"The token ends after this many days, {most} at most."
        self.fields["days"] = forms.IntegerField(
            min_value=1, max_value=most, initial=most, help_text=said
        )


class EndsTokens:
    """A form that sets a new password also revokes every token of the account."""

    def save(self, commit: bool = True) -> User:
        user: User = super().save(commit)  # type: ignore[misc]
        tokens.revoke(user.tokens.live())
        return user


class PasswordChangeForm(EndsTokens, auth_forms.PasswordChangeForm):
    pass


class NewPasswordForm(EndsTokens, auth_forms.SetPasswordForm):
    pass
