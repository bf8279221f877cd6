from __future__ import annotations

from django import forms

from predictions.models import ModelVersion
from training.messages import webhooks
from training.models import Endpoint
from training.versions.notes import LONGEST_NOTE, LONGEST_TAG, MOST_TAGS, TAG

LONGEST_REASON = 1_000  # characters


class ReasonForm(forms.Form):
    """The reason of a promotion or rollback; the verb checks whether one is needed."""

    why = forms.CharField(max_length=LONGEST_REASON, required=False)
    over = forms.CharField(max_length=60, required=False)  # the version the page showed as live


class TwoVersionsForm(forms.Form):
    """Two versions to compare, by their names."""

    one = forms.ModelChoiceField(ModelVersion.objects.all(), to_field_name="name")
    other = forms.ModelChoiceField(ModelVersion.objects.all(), to_field_name="name")


class NoteForm(forms.Form):
    """A note on a version, and its tags."""

    note = forms.CharField(
        max_length=LONGEST_NOTE,
        required=False,
        error_messages={"max_length": f"A note has at most {LONGEST_NOTE:,} characters."},
    )
    tags = forms.CharField(max_length=1_000, required=False)

    def clean_tags(self) -> list[str]:
        """Single words in lower case, in the order given, each once."""
        tags = dict.fromkeys(self.cleaned_data["tags"].lower().replace(",", " ").split())
        if wrong := [tag for tag in tags if not TAG.fullmatch(tag)]:
            raise forms.ValidationError(
                f"{wrong[0]!r} is no tag: a tag has letters, digits, points, hyphens and "
                f"underscores, {LONGEST_TAG} at most."
            )
        if len(tags) > MOST_TAGS:
            raise forms.ValidationError(f"{len(tags)} tags; a version has at most {MOST_TAGS}.")
        return list(tags)


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
