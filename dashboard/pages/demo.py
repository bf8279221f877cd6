"""The button that fills an empty installation with the demo."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST
from django_q.tasks import async_task

from dashboard.demo.plan import DRAWINGS, check_allowed
from predictions.access.permissions import page_for
from predictions.errors import Declined


@page_for("training.promote_version")
@require_POST
def ask_for_demo(request: HttpRequest) -> HttpResponse:
    """Have the training workers make the demo, where nobody has drawn yet."""
    try:
        check_allowed(DRAWINGS, force=False)
    except Declined as declined:
        messages.warning(request, str(declined))
    else:
        async_task("dashboard.tasks.make_demo", cluster="training", task_name="demo")
        messages.success(
            request, "A history is being made up. In about a minute, this page shows it by itself."
        )
    return redirect("dashboard:everybody")
