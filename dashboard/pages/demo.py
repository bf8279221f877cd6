"""The button that fills an empty installation with the demo."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from dashboard.demo.job import request_demo
from predictions.access.permissions import page_for
from predictions.errors import Declined


@page_for("training.promote_version")
@require_POST
def ask_for_demo(request: HttpRequest) -> HttpResponse:
    """Have the training workers make the demo; the page it leads to says how far it is."""
    try:
        request_demo()
    except Declined as declined:
        messages.warning(request, str(declined))
    return redirect("dashboard:everybody")
