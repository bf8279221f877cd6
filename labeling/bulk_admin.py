"""One act on everything selected in the admin: choose it on a page that shows how many, then do it.

The selection travels as the list's own filter and is built again on the server by the list's own
filtering, cut off at the newest row there was when the count was shown. If the count has changed
meanwhile, the page is shown again instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import helpers
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Max, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminRadioSelectWidget

from labeling import bulk, gold_items, review
from labeling.decisions import Verdict
from predictions.errors import Declined
from predictions.models import DIGITS, Prediction

SHOWN = 24  # thumbnails on the page
CORRECT, REVIEW, GOLD = "labeling.correct_in_bulk", "labeling.review_items", "labeling.add_gold"

Selection = QuerySet[Prediction]


class Act:
    """Something that can be done to a selection, and the permission it needs."""

    def __init__(
        self, title: str, permission: str, do: Callable[[Selection, User, dict[str, Any]], str]
    ) -> None:
        self.title, self.permission, self.do = title, permission, do


def correct(digit: int | None) -> Callable[[Selection, User, dict[str, Any]], str]:
    def do(chosen: Selection, by: User, chosen_by: dict[str, Any]) -> str:
        return str(bulk.set_verdict(chosen, Verdict(digit), by=by, chosen_by=chosen_by))

    return do


def accept_feedback(chosen: Selection, by: User, chosen_by: dict[str, Any]) -> str:
    return str(bulk.accept_feedback(chosen, by=by, chosen_by=chosen_by))


def send_to_review(chosen: Selection, by: User, chosen_by: dict[str, Any]) -> str:
    return str(review.send_to_review(chosen, by=by, chosen_by=chosen_by))


def use_as_gold(chosen: Selection, by: User, chosen_by: dict[str, Any]) -> str:
    added, left = gold_items.add_gold(chosen, by=by)
    return f"{added:,} are gold now. {bulk.counted(left)}"


ACTS = {
    **{str(digit): Act(f"It is a {digit}", CORRECT, correct(digit)) for digit in DIGITS},
    "unreadable": Act("Unreadable", CORRECT, correct(None)),
    "feedback": Act("Accept what the visitor said", CORRECT, accept_feedback),
    "review": Act("Send to review", REVIEW, send_to_review),
    "gold": Act("Use as gold", GOLD, use_as_gold),
}


def acts_for(user: Any) -> dict[str, Act]:
    return {name: act for name, act in ACTS.items() if user.has_perm(act.permission)}


class ActForm(forms.Form):
    """What to do, and the selection it was shown for."""

    act = forms.ChoiceField(widget=UnfoldAdminRadioSelectWidget, label="What to do")
    count = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
    newest = forms.IntegerField(min_value=1, widget=forms.HiddenInput)

    def __init__(self, *args: Any, acts: dict[str, Act], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["act"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(name, act.title) for name, act in acts.items()]


def decide_in_bulk(model_admin: Any, request: HttpRequest, queryset: Selection) -> HttpResponse:
    """The page that asks what to do, and the doing of it."""
    acts = acts_for(request.user)
    if not acts:
        raise PermissionDenied
    if "confirmed" not in request.POST:
        return page(model_admin, request, queryset, acts)
    form = ActForm(request.POST, acts=acts)
    if not form.is_valid():
        return page(model_admin, request, queryset, acts, form)
    chosen = plain(queryset).filter(pk__lte=form.cleaned_data["newest"])
    count = chosen.count()
    if count != form.cleaned_data["count"]:
        messages.warning(
            request,
            f"The filter matched {form.cleaned_data['count']:,} predictions and matches {count:,} "
            "now. Nothing was changed; look again.",
        )
        return page(model_admin, request, queryset, acts)
    return carry_out(request, acts[form.cleaned_data["act"]], chosen)


def carry_out(request: HttpRequest, act: Act, chosen: Selection) -> HttpResponse:
    assert isinstance(request.user, User)
    chosen_by = {
        "filter": request.GET.dict(),
        "all that match": is_across(request),
        "act": act.title,
    }
    try:
        messages.success(request, f"{act.title}: {act.do(chosen, request.user, chosen_by)}")
    except Declined as declined:
        messages.warning(request, str(declined))
    return HttpResponseRedirect(request.get_full_path())


def plain(queryset: Selection) -> Selection:
    """The same rows without what the list joins to show them."""
    return Prediction.objects.filter(pk__in=queryset.order_by().values("pk"))


def is_across(request: HttpRequest) -> bool:
    return request.POST.get("select_across") == "1"


def page(
    model_admin: Any,
    request: HttpRequest,
    queryset: Selection,
    acts: dict[str, Act],
    form: ActForm | None = None,
) -> HttpResponse:
    chosen = plain(queryset)
    count = chosen.count()
    if count == 0:
        messages.warning(request, "Nothing is selected, so nothing was changed.")
        return HttpResponseRedirect(request.get_full_path())
    newest = chosen.aggregate(newest=Max("pk"))["newest"]
    shown = chosen.order_by("-pk").only("public_id", "digit")[:SHOWN]
    # The keys of a page's rows travel in the form; those of a whole filter never do.
    keys = ["all"] if is_across(request) else request.POST.getlist(helpers.ACTION_CHECKBOX_NAME)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": f"{count:,} predictions",
        "count": count,
        "across": is_across(request),
        "filters": sorted(request.GET.items()),
        "shown": shown,
        "keys": keys,
        "checkbox_name": helpers.ACTION_CHECKBOX_NAME,
        "form": form or ActForm(acts=acts, initial={"count": count, "newest": newest}),
        "here": request.get_full_path(),
    }
    return TemplateResponse(request, "admin/labeling/decide_in_bulk.html", context)
