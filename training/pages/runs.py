"""The pages of runs.

They work as plain HTML; the script only updates the page while a run is active.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from predictions.access.permissions import page_for, signed_in
from predictions.api.paging import PageQuery, page_of
from predictions.errors import Declined
from predictions.operation import health
from predictions.refusals import no_such_page
from training.api.runs import report_of, run_detail, run_or_404, runs_for_lists
from training.models import Run, Trial
from training.pages.versions import deciding
from training.runs import queue_status, retrain
from training.trials.summary import OF_TRIAL, shown
from training.versions import promotion
from training.workers.schedules import next_fine_tune

PAST_RUNS = 10


@page_for("training.view_run")
@require_safe
def training(request: HttpRequest) -> HttpResponse:
    """New labels, the trials, the current or last run, and earlier runs."""
    runs = list(runs_for_lists()[: PAST_RUNS + 1])
    context = {
        **run_context(runs[0] if runs else None),
        "toward": queue_status.toward(),
        "preview": queue_status.run_preview(),
        "workers": health.workers_by_cluster()["training"],
        "next_fine_tune": next_fine_tune(),
        "least": retrain.LEAST_LABELS,
        "past": runs[1:],
        "trials": [shown(trial) for trial in Trial.objects.open().select_related(*OF_TRIAL)],
        "live": promotion.live_version(),
        "shipped": promotion.shipped_and_waiting(),
        "is_home": True,
    }
    return render(request, "training/training.html", context)


@page_for("training.view_run")
@require_safe
def runs_page(request: HttpRequest) -> HttpResponse:
    query = PageQuery(data=request.GET)
    if not query.is_valid():
        message = "That page of the runs does not exist. Start again from the newest."
        return no_such_page(request, message)
    page = page_of(runs_for_lists(), **query.validated_data)
    return render(request, "training/runs.html", {"page": page})


@page_for("training.view_run")
@require_safe
def run(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """One run, active or ended."""
    return render(request, "training/run.html", run_context(run_or_404(public_id)))


def run_context(run: Run | None) -> dict[str, Any]:
    """The template context of one run."""
    if run is None:
        return {"run": None, "chart_script": settings.CHARTJS_STATIC}
    report = report_of(run)
    return {
        "run": run,
        "detail": run_detail(run),
        "report": report,
        "live": promotion.live_version(),
        "chart_script": settings.CHARTJS_STATIC,
        **(deciding(run.version, report) if run.version else {}),
    }


@page_for("training.start_run")
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Start a run now."""
    try:
        asked = retrain.ask(trigger=Run.Trigger.PAGE, by=signed_in(request))
    except Declined as declined:
        messages.warning(request, str(declined))
    else:
        messages.success(request, f"Run {asked.pk} is queued with {asked.snapshot.count} labels.")
    return redirect("training:training")


@page_for("training.start_run")
@require_POST
def cancel_run(request: HttpRequest, public_id: UUID) -> HttpResponse:
    asked = run_or_404(public_id)
    try:
        retrain.cancel(asked)
    except Declined as declined:
        messages.warning(request, str(declined))
    else:
        messages.success(
            request, f"Run {asked.pk} is canceled; work that goes on stops in a moment."
        )
    return redirect("training:training")
