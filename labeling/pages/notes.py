"""Guidelines for labelers, and the notes they left on items."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from labeling.decisions import notes as verbs
from labeling.pages.label import may_label
from labeling.pages.review import may_review
from predictions.access.permissions import signed_in

SHOWN = 100


class GuidelinesForm(forms.Form):
    text = forms.CharField(
        max_length=verbs.LONGEST_GUIDELINES,
        required=False,
        label="Guidelines",
        widget=forms.Textarea(attrs={"rows": 12, "class": "input"}),
    )


@may_label
@require_http_methods(["GET", "HEAD", "POST"])
def guidelines_page(request: HttpRequest) -> HttpResponse:
    """What labelers should go by; admins change it here."""
    may_write = request.user.has_perm("labeling.correct_in_bulk")
    found = verbs.guidelines()
    form = GuidelinesForm(request.POST or None, initial={"text": found.text if found else ""})
    if request.method == "POST":
        if not may_write:
            raise PermissionDenied
        if form.is_valid():
            verbs.set_guidelines(form.cleaned_data["text"], by=signed_in(request))
            messages.success(
                request, "Saved. Labelers see it beside every item, on the grid and in review."
            )
            return redirect("labeling:guidelines")
    context = {"form": form if may_write else None, "guidelines": found}
    return render(request, "labeling/guidelines.html", context)


@may_review
@require_safe
def notes_page(request: HttpRequest) -> HttpResponse:
    """The newest notes; what nobody has labeled, and audits, without a link to the guess."""
    context = {"notes": verbs.newest_notes()[:SHOWN], "most": SHOWN}
    return render(request, "labeling/notes.html", context)
