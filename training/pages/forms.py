from __future__ import annotations

from django import forms

from training.messages import webhooks
from training.models import Endpoint

LONGEST_REASON = 1_000  # characters


class ReasonForm(forms.Form):
    """The reason of a promotion or rollback; the verb checks whether one is needed."""

    why = forms.CharField(max_length=LONGEST_REASON, required=False)
    over = forms.CharField(max_length=60, required=False)  # the version the page showed as live


class EndpointForm(forms.ModelForm):
    """A webhook receiver; an address that is not allowed is refused with the reason."""

    class Meta:
        model = Endpoint
        fields = ["name", "url", "is_active"]

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            webhooks.safe_address(webhooks.checked(url))
        except webhooks.DeliveryRefused as refused:
            raise forms.ValidationError(str(refused)) from refused
        return url
