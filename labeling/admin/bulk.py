"""Bulk actions in the admin: a page shows the selection and asks what to do, then it is done.

The items shown and their states are stored on the server; the page has only the selection's id.
The action leaves items that changed since alone, and says how many there are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import helpers
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminRadioSelectWidget

from labeling.admin.chosen import filter_in_words
from labeling.batches import bulk, gold_items, review
from labeling.batches.bulk import BulkOutcome
from labeling.batches.selections import (
    ShownItems,
    as_shown,
    keep_shown,
    kept,
    selection_summary,
    shown_in,
    use_up,
)
from labeling.decisions.decisions import Answer
from labeling.models import Batch
from labeling.turns import in_turn
from predictions.errors import Declined
from predictions.models import DIGITS, Prediction

SHOWN = 24  # thumbnails on the page
CORRECT, REVIEW, GOLD = "labeling.correct_in_bulk", "labeling.review_items", "labeling.add_gold"

Do = Callable[[ShownItems, User, dict[str, Any]], BulkOutcome | str]


class Act:
    """A bulk action, and the permission it needs."""

    def __init__(self, title: str, permission: str, do: Do) -> None:
        self.title, self.permission, self.do = title, permission, do


def correct(digit: int | None) -> Do:
    def do(shown: ShownItems, by: User, chosen_by: dict[str, Any]) -> BulkOutcome:
        return bulk.set_verdict(shown, Answer(digit), by=by, chosen_by=chosen_by)

    return do


def accept_feedback_act(shown: ShownItems, by: User, chosen_by: dict[str, Any]) -> BulkOutcome:
    return bulk.accept_feedback(shown, by=by, chosen_by=chosen_by)


def send_to_review_act(shown: ShownItems, by: User, chosen_by: dict[str, Any]) -> BulkOutcome:
    return review.send_to_review(shown, by=by, chosen_by=chosen_by)


def use_as_gold(shown: ShownItems, by: User, chosen_by: dict[str, Any]) -> str:
    added, left = gold_items.add_gold(shown, by=by)
    return f"{added:,} are gold now. {bulk.left_alone_in_words(left)}"


ACTS = {
    **{str(digit): Act(f"It is a {digit}", CORRECT, correct(digit)) for digit in DIGITS},
    "unreadable": Act("Unreadable", CORRECT, correct(None)),
    "feedback": Act("Accept what the visitor said", CORRECT, accept_feedback_act),
    "review": Act("Send to review", REVIEW, send_to_review_act),
    "gold": Act("Use as gold", GOLD, use_as_gold),
}


def acts_for(user: Any) -> dict[str, Act]:
    return {name: act for name, act in ACTS.items() if user.has_perm(act.permission)}


class ActForm(forms.Form):
    """The action, and the selection it is for."""

    act = forms.ChoiceField(widget=UnfoldAdminRadioSelectWidget, label="What to do")
    selection = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, acts: dict[str, Act], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["act"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(name, act.title) for name, act in acts.items()]


def decide_in_bulk(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
    """Show the page that asks what to do with these predictions or labels, or do what it says."""
    acts, by = acts_for(request.user), request.user
    if not acts:
        raise PermissionDenied
    assert isinstance(by, User)
    here = HttpResponseRedirect(request.get_full_path())
    if "confirmed" not in request.POST:
        # A label's key is its prediction's.
        shown = as_shown(Prediction.objects.filter(pk__in=queryset.order_by().values("pk")))
        if not shown:
            messages.warning(
                request, "Nothing is selected, so nothing was changed. Tick the rows you mean."
            )
            return here
        selection = keep_shown(shown, owner=by, chosen_by=chosen_by(model_admin, request))
        form = ActForm(acts=acts, initial={"selection": selection.pk})
        return bulk_page(model_admin, request, shown, form)
    form = ActForm(request.POST, acts=acts)
    try:
        if form.is_valid():
            title, done = carry_out_act(form.cleaned_data, acts, by)
            batch = done.batch if isinstance(done, BulkOutcome) else None
            messages.success(request, with_undo(request, f"{title}: {done}", batch))
        elif named := form.cleaned_data.get("selection"):
            return bulk_page(model_admin, request, shown_in(kept(named, owner=by)), form)
    except Declined as declined:
        messages.warning(request, str(declined))
    return here


@in_turn
def carry_out_act(
    said: dict[str, Any], acts: dict[str, Act], by: User
) -> tuple[str, BulkOutcome | str]:
    """Carry out the action and delete the selection; a refused action keeps it."""
    selection, act = kept(said["selection"], owner=by), acts[said["act"]]
    return act.title, act.do(use_up(selection), by, {**selection.chosen_by, "act": act.title})


def with_undo(request: HttpRequest, words: str, batch: Batch | None) -> str:
    """The message of an action, with a button that undoes its batch and comes back here."""
    if batch is None:
        return words
    return format_html(
        '{} <form method="post" action="{}" class="inline">'
        '<input type="hidden" name="csrfmiddlewaretoken" value="{}">'
        '<input type="hidden" name="back" value="{}">'
        '<button class="message-undo">Undo</button></form>',
        words,
        reverse("admin:labeling_batch_undo", args=[batch.pk]),
        get_token(request),
        request.get_full_path(),
    )


def chosen_by(model_admin: Any, request: HttpRequest) -> dict[str, Any]:
    return {
        "filter": request.GET.dict(),
        "words": filter_in_words(model_admin, request),
        "all that match": is_across(request),
    }


def is_across(request: HttpRequest) -> bool:
    return request.POST.get("select_across") == "1"


def bulk_page(
    model_admin: Any, request: HttpRequest, shown: ShownItems, form: ActForm
) -> HttpResponse:
    newest = sorted(shown.stood)[-SHOWN:]
    drawings = Prediction.objects.filter(pk__in=newest).order_by("-pk").only("public_id", "digit")
    # The form carries the keys of the rows on a page, but not of all rows that match the filter.
    keys = ["all"] if is_across(request) else request.POST.getlist(helpers.ACTION_CHECKBOX_NAME)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": f"{len(shown):,} predictions",
        "count": len(shown),
        "across": is_across(request),
        "filter": filter_in_words(model_admin, request),
        "summary": selection_summary(shown),
        "shown": drawings,
        "keys": keys,
        "checkbox_name": helpers.ACTION_CHECKBOX_NAME,
        "form": form,
        "here": request.get_full_path(),
    }
    return TemplateResponse(request, "admin/labeling/decide_in_bulk.html", context)
