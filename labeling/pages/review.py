"""Pages of reviewers: settle disputes, see how far labelers agree, and who is below the others."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from labeling.batches import alerts, gold_items
from labeling.batches import review as verbs
from labeling.decisions import agreement as figures
from labeling.decisions import decisions
from labeling.decisions.notes import notes_on
from labeling.decisions.pace import TIMED, paces
from labeling.models import Gold
from labeling.pages.forms import UNDO, SettleForm
from predictions.access.permissions import page_for, signed_in
from predictions.api.paging import PageQuery
from predictions.errors import Declined
from predictions.models import DIGITS
from predictions.refusals import no_such_page, problem

AT_ONCE = 10  # disputes on a page
may_review = page_for("labeling.review_items")


@may_review
@require_http_methods(["GET", "HEAD", "POST"])
def review(request: HttpRequest) -> HttpResponse:
    """Items whose labelers disagree, with their answers; a reviewer's ruling settles them."""
    if request.method == "POST":
        return settle_dispute(request, signed_in(request))
    query = PageQuery(data=request.GET)
    if not query.is_valid():
        message = "That page of the disputes does not exist. Start again from the newest."
        return no_such_page(request, message)
    page = verbs.disputes(**{"limit": AT_ONCE, **query.validated_data})
    noted = notes_on([dispute.prediction.pk for dispute in page.disputes])
    context = {
        "page": page,
        "digits": DIGITS,
        "is_first": "before" not in query.validated_data,
        "disputes": [
            (dispute, noted[dispute.prediction.pk], uuid.uuid4()) for dispute in page.disputes
        ],
        "request_id": uuid.uuid4(),
        "alerts": alerts_for(request),
    }
    return render(request, "labeling/review.html", context)


def alerts_for(request: HttpRequest) -> list[tuple[User, str]]:
    """Labelers who are clearly below the others, each with a sentence that says so."""
    found = alerts.open_alerts(for_reviewer=signed_in(request))
    return [(alert.labeler, alerts.alert_in_words(alert)) for alert in found]


def settle_dispute(request: HttpRequest, reviewer: User) -> HttpResponse:
    form = SettleForm(request.POST)
    if not form.is_valid():
        messages.error(
            request, "The form was incomplete, so nothing was settled. Press a button of a dispute."
        )
        return redirect("labeling:review")
    said = form.cleaned_data
    try:
        if said["said"] == UNDO:
            decisions.undo(reviewer, request_id=said["request_id"])
            messages.success(request, "Taken back.")
        else:
            ruling = decisions.settle(
                said["item"], form.verdict(), reviewer=reviewer, request_id=said["request_id"]
            )
            messages.success(request, f"Settled: {ruling.event.value}.")
    except Declined as declined:
        messages.warning(request, str(declined))
    return redirect("labeling:review")


@may_review
@require_safe
def agreement_page(request: HttpRequest) -> HttpResponse:
    """How far labelers agree with each other and with gold, with intervals."""
    context = {
        "figures": figures.between_labelers(),
        "paces": paces(),
        "timed": TIMED,
        "alerts": alerts_for(request),
        "gold": Gold.objects.count(),
        "gold_share": settings.GOLD_FROM_AGREED,
        "active": len(gold_items.active_labelers()),
    }
    return render(request, "labeling/agreement.html", context)


@may_review
@require_http_methods(["GET", "HEAD", "POST"])
def labeler_page(request: HttpRequest, username: str) -> HttpResponse:
    """The answers of one labeler that others contradict; not shown to that labeler."""
    about, reviewer = get_object_or_404(User, username=username), signed_in(request)
    if about == reviewer:
        message = "Your own answers are shown on this page to other reviewers only."
        return problem(request, "not_found", message, status=404, title="Not for you")
    if request.method == "POST":
        return dealt_with(request, about, reviewer)
    alert = alerts.open_alerts().filter(labeler=about).first()
    context: dict[str, Any] = {
        "about": about,
        "sentence": alert and alerts.alert_in_words(alert),
        "answers": alerts.wrong_answers(about),
        "most": alerts.SHOWN,
    }
    return render(request, "labeling/labeler.html", context)


def dealt_with(request: HttpRequest, about: User, reviewer: User) -> HttpResponse:
    try:
        alerts.deal_with_labeler(about, by=reviewer)
        messages.success(request, f"Dealt with. Only later answers of {about} count from now on.")
    except Declined as declined:
        messages.warning(request, str(declined))
    return redirect("labeling:agreement")
