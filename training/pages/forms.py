from __future__ import annotations

from django import forms

from training.messages import webhooks
from training.models import Endpoint

LONGEST_REASON = 1_000  # characters


class ReasonForm(forms.Form):
    """Why a version is promoted or taken back; whether that is needed is the verb's to say."""

    why = forms.CharField(max_length=LONGEST_REASON, required=False)
    over = forms.CharField(max_length=60, required=False)  # the version the page showed as live


class EndpointForm(forms.ModelForm):
    """An address that cannot be asked is refused while somebody is there to read why."""

    class Meta:
        model = Endpoint
        fields = ["name", "url", "is_active"]

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            webhooks.safe_address(webhooks.checked(url))
        except webhooks.Refused as refused:
            raise forms.ValidationError(str(refused)) from refused
        return url
