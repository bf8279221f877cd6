from __future__ import annotations

from django import forms

LONGEST_REASON = 1_000  # characters


class ReasonForm(forms.Form):
    """Why a version is promoted or taken back; whether that is needed is the verb's to say."""

    why = forms.CharField(max_length=LONGEST_REASON, required=False)
    over = forms.CharField(max_length=60, required=False)  # the version the page showed as live
