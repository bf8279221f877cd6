"""The label page, which works without JavaScript."""

from __future__ import annotations

import uuid
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from labeling.decisions import decisions
from labeling.decisions.answers import OwnAnswer, page_of_answers
from labeling.decisions.notes import leave_note
from labeling.pages.forms import NEXT, NOTE, SKIP, UNDO, AnswerForm
from labeling.queue import progress, queue
from labeling.queue.held import Held
from labeling.queue.intake import watch
from predictions.access.permissions import page_for, signed_in
from predictions.capture.visitors import visitor_of
from predictions.errors import Declined
from predictions.models import DIGITS, Prediction

RECENT = 8  # answers shown again after a reload
TARGETS = [25, 50, 100, 200]  # labels in one go
may_label = page_for("labeling.label_items")


@may_label
@require_http_methods(["GET", "HEAD", "POST"])
def label(request: HttpRequest) -> HttpResponse:
    """The queue, one item at a time. GET leases nothing; the form's buttons do."""
    labeler = signed_in(request)
    if request.method == "POST":
        return answer(request, labeler)
    held = held_in(request, labeler)
    if held is None and "item" in request.GET:
        messages.warning(request, "That item is no longer yours: the hold ran out or moved on.")
    context = {
        "held": held,
        "drawing_url": Prediction(public_id=held.public_id).drawing_url if held else "",
        "guess": held.shown_guess if held else None,
        "request_id": uuid.uuid4(),
        "progress": progress.of(labeler),
        "recent": recent_answers(labeler),
        "targets": TARGETS,
        "digits": DIGITS,
        "priority_first": request.GET.get("priority_first") == "1",
    }
    return render(request, "labeling/label.html", context)


def recent_answers(labeler: User) -> list[OwnAnswer]:
    """The newest answers that stand and were given one by one, as the page shows them."""
    rows = page_of_answers(labeler, limit=RECENT).rows
    return [
        row
        for row in rows
        if row.stands and row.event.batch_id is None and row.event.prediction.erased_at is None
    ]


def held_in(request: HttpRequest, labeler: User) -> Held | None:
    """The item named in the URL, if this labeler still holds it."""
    try:
        item, token = UUID(request.GET["item"]), UUID(request.GET["token"])
    except (KeyError, ValueError):
        return None
    return queue.still_held(labeler, item, token)


def answer(request: HttpRequest, labeler: User) -> HttpResponse:
    form = AnswerForm(request.POST)
    if not form.is_valid():
        messages.error(
            request, "The form was incomplete, so nothing was saved. Press a button of an item."
        )
        return redirect("labeling:label")
    try:
        again = answer_item(form, labeler, request)
    except Declined as declined:
        messages.warning(request, str(declined))
        again = None
    priority_first = form.cleaned_data["priority_first"]
    held = again or claim_one(request, labeler, priority_first=priority_first)
    return show_item(held, labeler, request, priority_first=priority_first)


def answer_item(form: AnswerForm, labeler: User, request: HttpRequest) -> Held | None:
    """Do what the button says; return the item to show again after an undo."""
    said = form.cleaned_data
    if said["said"] == UNDO:
        undoing = decisions.undo(labeler, request_id=said["request_id"] or uuid.uuid4())
        messages.success(request, "Taken back.")
        return queue.hold_again(labeler, undoing)
    if said["said"] == NOTE:
        leave_note(labeler, said["item"], token=said["token"], text=said["note"])
        messages.success(request, "Note saved: reviewers see it.")
        return queue.still_held(labeler, said["item"], said["token"])
    if said["said"] == SKIP:
        queue.skip(labeler, said["item"], token=said["token"])
    elif said["said"] != NEXT:
        decided = decisions.decide(
            said["item"],
            form.verdict(),
            labeler=labeler,
            token=said["token"],
            request_id=said["request_id"],
            guess_shown=said["guess_shown"],
        )
        messages.success(request, answer_in_words(decided))
    return None


def answer_in_words(decided: decisions.Decided) -> str:
    said = f"You said {decided.event.value}."
    if decided.prediction.is_audit:
        return said  # after an undo, the guess could influence the new answer
    return f"{said} The model said {decided.prediction.digit}."


def claim_one(request: HttpRequest, labeler: User, *, priority_first: bool) -> Held | None:
    watch.take_in_if_due()
    held = queue.claim(labeler, priority_first=priority_first, visitor=visitor_of(request))
    return held[0] if held else None


def show_item(
    held: Held | None, labeler: User, request: HttpRequest, *, priority_first: bool
) -> HttpResponse:
    query: dict[str, object] = {"priority_first": 1} if priority_first else {}
    if held is None:
        messages.info(request, outlook_in_words(queue.outlook(labeler)))
    else:
        query |= {"item": held.public_id, "token": held.token}
    address = reverse("labeling:label")
    return HttpResponseRedirect(f"{address}?{urlencode(query)}" if query else address)


def outlook_in_words(outlook: queue.Outlook) -> str:
    """Say why no item is shown; "all done" only if no item is left."""
    if outlook.left == 0:
        return "All done: nothing is left to label."
    if outlook.held_by_others == 0:
        return (
            f"{outlook.left} left, all for somebody else: you have answered, skipped or drawn them."
        )
    seconds = int(outlook.next_free_in or 0)
    return (
        f"{outlook.left} left, {outlook.held_by_others} held by others,"
        f" next free in {seconds // 60}:{seconds % 60:02}."
    )
