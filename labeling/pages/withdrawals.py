"""The page where an admin withdraws a labeler's decisions, and undoes withdrawals."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from labeling.batches.batches import undo_batch
from labeling.batches.withdrawal import standing_withdrawals, withdraw
from labeling.models import Batch, LabelEvent
from predictions.access.permissions import page_for, signed_in
from predictions.errors import Declined

SHOWN = 50  # withdrawals listed
may_withdraw = page_for("labeling.correct_in_bulk")


class WithdrawalForm(forms.Form):
    """The labeler to withdraw, with the box ticked; or the withdrawal to undo."""

    labeler = forms.ModelChoiceField(
        User.objects.none(),
        required=False,
        to_field_name="username",
        empty_label="Choose",
        widget=forms.Select(attrs={"class": "input"}),
    )
    sure = forms.BooleanField(required=False)
    batch = forms.ModelChoiceField(Batch.objects.none(), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        decided = LabelEvent.objects.filter(labeler=OuterRef("pk"))
        people, batch = self.fields["labeler"], self.fields["batch"]
        assert isinstance(people, forms.ModelChoiceField)
        assert isinstance(batch, forms.ModelChoiceField)
        people.queryset = User.objects.filter(Exists(decided)).order_by("username")
        batch.queryset = standing_withdrawals()


@may_withdraw
@require_http_methods(["GET", "HEAD", "POST"])
def withdrawals(request: HttpRequest) -> HttpResponse:
    """Withdraw a labeler's decisions, or undo a withdrawal."""
    if request.method == "POST":
        act(request, WithdrawalForm(request.POST))
        return redirect("labeling:withdrawals")
    context = {"form": WithdrawalForm(), "withdrawals": standing_withdrawals()[:SHOWN]}
    return render(request, "labeling/withdrawals.html", context)


def act(request: HttpRequest, form: WithdrawalForm) -> None:
    said = form.cleaned_data if form.is_valid() else {}
    by = signed_in(request)
    try:
        if batch := said.get("batch"):
            messages.success(request, f"Given back: {undo_batch(batch, by=by):,} decisions.")
        elif said.get("labeler") and said["sure"]:
            batch = withdraw(said["labeler"], by=by)
            messages.success(request, f"Withdrawn: {batch.count:,} decisions.")
        else:
            messages.warning(request, "Choose a labeler and tick the box. Nothing was changed.")
    except Declined as declined:
        messages.warning(request, str(declined))
