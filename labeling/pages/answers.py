"""The page where labelers see their own answers and undo single ones."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods
from rest_framework import serializers

from labeling.decisions.answers import page_of_answers, undo_answer
from labeling.pages.forms import LAST_KEY, TakeBackForm
from labeling.pages.label import may_label
from predictions.access.permissions import signed_in
from predictions.api.endpoints import Query
from predictions.errors import Declined
from predictions.refusals import no_such_page


class AnswersQuery(Query):
    before = serializers.IntegerField(required=False, min_value=1, max_value=LAST_KEY)


@may_label
@require_http_methods(["GET", "HEAD", "POST"])
def answers_page(request: HttpRequest) -> HttpResponse:
    """The labeler's own answers, newest first, each with a button to undo it."""
    query = AnswersQuery(data=request.GET)
    if not query.is_valid():
        message = "That page of your answers does not exist. Start again from the newest."
        return no_such_page(request, message)
    before = query.validated_data.get("before")
    if request.method == "POST":
        act_on_answer(request)
        address = reverse("labeling:answers")
        return redirect(f"{address}?before={before}" if before else address)
    page = page_of_answers(signed_in(request), before=before)
    context = {"page": page, "is_first": before is None}
    return render(request, "labeling/answers.html", context)


def act_on_answer(request: HttpRequest) -> None:
    form = TakeBackForm(request.POST)
    if not form.is_valid():
        messages.error(
            request,
            "The form was incomplete, so nothing was taken back. Press a button of an answer.",
        )
        return
    try:
        undoing = undo_answer(signed_in(request), form.cleaned_data["event"])
    except Declined as declined:
        messages.warning(request, str(declined))
    else:
        assert undoing.reverses is not None
        messages.success(request, f"Taken back: your {undoing.reverses.value} no longer counts.")
