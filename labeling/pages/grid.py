"""The page to confirm many glyphs with the same guess at once."""

from __future__ import annotations

import uuid
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from labeling.batches import grid as verbs
from labeling.models import QueueItem
from labeling.pages.forms import CONFIRM, SHOW, GridForm
from labeling.pages.label import may_label
from labeling.queue.intake import watch
from predictions.access.permissions import signed_in
from predictions.errors import Declined
from predictions.models import DIGITS


@may_label
@require_http_methods(["GET", "HEAD", "POST"])
def grid(request: HttpRequest) -> HttpResponse:
    """Up to fifty glyphs with the same guess. GET leases nothing; the buttons do."""
    labeler = signed_in(request)
    if request.method == "POST":
        return act_on_grid(request, labeler)
    digit = digit_in(request)
    context = {
        "digits": DIGITS,
        "digit": digit,
        "most": verbs.AT_MOST,
        "token": request.GET.get("token", ""),
        "items": held_grid(request, labeler),
        "batch": uuid_in(request, "batch"),
        "request_id": uuid.uuid4(),
    }
    return render(request, "labeling/grid.html", context)


def digit_in(request: HttpRequest) -> int:
    asked = request.GET.get("digit", "")
    return int(asked) if asked in {str(digit) for digit in DIGITS} else 0


def uuid_in(request: HttpRequest, name: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(request.GET[name])
    except (KeyError, ValueError):
        return None


def held_grid(request: HttpRequest, labeler: User) -> list[QueueItem]:
    """The items still leased with the token in the URL."""
    token = uuid_in(request, "token")
    return list(verbs.still_held_grid(labeler, token)) if token else []


def act_on_grid(request: HttpRequest, labeler: User) -> HttpResponse:
    form = GridForm(request.POST)
    if not form.is_valid():
        messages.error(request, "The form was incomplete, so nothing was changed. Show them again.")
        return redirect("labeling:grid")
    query = {"digit": str(form.cleaned_data["digit"])}
    try:
        query |= ACTS.get(form.cleaned_data["act"], undo_shown)(request, labeler, form)
    except Declined as declined:
        messages.warning(request, str(declined))
    return redirect(f"{reverse('labeling:grid')}?{urlencode(query)}")


def show_grid(request: HttpRequest, labeler: User, form: GridForm) -> dict[str, str]:
    watch.take_in_if_due()
    held = verbs.claim_grid(labeler, digit=form.cleaned_data["digit"])
    if not held:
        messages.info(request, f"No glyph read as {form.cleaned_data['digit']} waits for a label.")
        return {}
    return {"token": str(held[0].token)}


def confirm_shown(request: HttpRequest, labeler: User, form: GridForm) -> dict[str, str]:
    said = form.cleaned_data
    done = verbs.confirm_grid(
        labeler,
        digit=said["digit"],
        token=said["token"],
        request_id=said["request_id"],
        shown=said["ids"],
        wrong=said["wrong"],
    )
    messages.success(request, f"{done.confirmed} confirmed, {done.sent_back} sent to the queue.")
    return {"batch": str(done.batch.pk)}


def undo_shown(request: HttpRequest, labeler: User, form: GridForm) -> dict[str, str]:
    undone = verbs.undo_grid(labeler, form.cleaned_data["batch"])
    messages.success(request, f"Taken back: {undone} labels.")
    return {}


ACTS = {SHOW: show_grid, CONFIRM: confirm_shown}
