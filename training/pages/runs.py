"""The pages of runs and model versions.

They work as plain HTML; the script only updates the page while a run is active.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from predictions.access.permissions import signed_in
from predictions.api.paging import PageQuery, page_of
from predictions.errors import Declined
from predictions.models import ModelVersion
from predictions.operation import health
from predictions.refusals import problem
from training.api.runs import report_of, run_detail, run_or_404, runs_for_lists
from training.api.versions import version_or_404
from training.models import GateReport, Promotion, Run, Trial
from training.pages.forms import ReasonForm
from training.runs import queue_status, retrain
from training.snapshots.lineage import ancestry, labelers_of, run_of
from training.trials.summary import OF_TRIAL, Shown, latest_shown, shown
from training.versions import promotion
from training.versions.ledger import spans
from training.workers.schedules import next_fine_tune

View = Callable[..., HttpResponse]
PAST_RUNS = 10
LEDGER_SHOWN = 50


def asking(permission: str) -> Callable[[View], View]:
    """Require a permission: without a login, redirect to it; without the permission, 403."""

    def decorate(view: View) -> View:
        guarded = permission_required(permission, raise_exception=True)(view)
        guarded.permission_required = permission  # type: ignore[attr-defined]  # for the doors' test
        return guarded

    return decorate


# -- runs ---------------------------------------------------------------------------------------


@asking("training.view_run")
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
        "is_home": True,
    }
    return render(request, "training/training.html", context)


@asking("training.view_run")
@require_safe
def runs_page(request: HttpRequest) -> HttpResponse:
    query = PageQuery(data=request.GET)
    if not query.is_valid():
        message = "That page of the runs does not exist. Start again from the newest."
        return problem(request, "invalid", message, status=400, title="No such page")
    page = page_of(runs_for_lists(), **query.validated_data)
    return render(request, "training/runs.html", {"page": page})


@asking("training.view_run")
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


def deciding(version: ModelVersion, report: GateReport | None) -> dict[str, Any]:
    """How its trial stands, whether a version can be promoted, and whether it won its trial."""
    live = promotion.live_version()
    spoken_for = promotion.speaks_for(report, version, live)
    return {
        "version": version,
        "trial": latest_shown(version.pk),
        "may_go_live": live is None or live.pk != version.pk,
        "spoken_for": spoken_for,
    }


@asking("training.start_run")
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


@asking("training.start_run")
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


# -- versions -----------------------------------------------------------------------------------


@asking("training.view_run")
@require_safe
def versions_page(request: HttpRequest) -> HttpResponse:
    """Every version, newest first, and the ledger of what was live when."""
    reports = GateReport.objects.defer("figures").order_by("-pk")
    trials = Trial.objects.order_by("-pk")
    rows = (
        ModelVersion.objects.defer("card", "canary")
        .select_related("parent", "run__snapshot")
        .defer("run__checkpoint", "run__log", "run__snapshot__holdout", "parent__canary")
        .prefetch_related(Prefetch("gate_reports", reports), Prefetch("trials", trials))
        .order_by("-pk")
    )
    live_times = spans()
    context = {
        "rows": [
            {
                "version": version,
                "run": getattr(version, "run", None),
                "report": next(iter(version.gate_reports.all()), None),
                "trial": next(iter(version.trials.all()), None),
                "spans": live_times.get(version.pk, []),
            }
            for version in rows
        ],
        "ledger": Promotion.objects.select_related("before", "after", "by", "report")[
            :LEDGER_SHOWN
        ],
        "live": promotion.live_version(),
    }
    return render(request, "training/versions.html", context)


@asking("training.view_run")
@require_safe
def version(request: HttpRequest, name: str) -> HttpResponse:
    """One version: its trial, its card, its curve, and whose labels it learned."""
    found = version_or_404(name)
    made_by = run_of(found)
    report = promotion.latest_report(found)
    deciding_now = deciding(found, report)
    context = {
        **deciding_now,
        "run": made_by,
        "detail": run_detail(Run.objects.get(pk=made_by.pk)) if made_by else None,
        "chart_script": settings.CHARTJS_STATIC,
        "lineage": list(reversed(list(ancestry(found)))),
        "children": found.children.all(),
        "facts": facts_of(found),
        "scores": scores_of(found),
        **evidence_of(deciding_now["trial"], report),
        "labelers": labelers_of(made_by) if made_by else [],
        "spans": spans().get(found.pk, []),
        "entries": Promotion.objects.select_related("before", "after", "by").filter(after=found),
        "live": promotion.live_version(),
    }
    return render(request, "training/version.html", context)


FACTS = {  # of the card, in the order shown
    "kind": "Made by",
    "labels": "Labels learned",
    "parameters": "Parameters",
    "multiply_adds": "Multiply-adds a glyph",
    "seed": "Seed",
    "temperature": "Temperature",
    "largest_difference": "Largest difference, ONNX from torch",
}


def facts_of(version: ModelVersion) -> list[tuple[str, Any]]:
    """The single values of the card, with labels."""
    return [
        (said, card_value(version.card[key])) for key, said in FACTS.items() if key in version.card
    ]


def card_value(value: Any) -> str:
    """A value of a card in words: three significant digits, or commas."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def scores_of(version: ModelVersion) -> list[tuple[str, dict[str, Any]]]:
    """The accuracies on the card, each with n and interval."""
    metrics = version.card.get("metrics", {})
    return [
        (name.replace("_", " "), found["accuracy"])
        for name, found in metrics.items()
        if isinstance(found, dict) and "accuracy" in found
    ]


def evidence_of(trial: Shown | None, report: GateReport | None) -> dict[str, Any]:
    """What a trial rests on; without a trial, the sets of a report from before there were any."""
    if trial is not None:
        return {"changed": trial.figures["changed"]}
    if report is None or "sets" not in report.figures:
        return {"report": report}
    figures = report.figures
    together = {**figures["drawings"], "name": "all drawings"}
    return {
        "report": report,
        "sets": [together, *figures["sets"]],
        "drawings": figures["drawings"],
        "changed": figures.get("changed"),
    }


@asking("training.promote_version")
@require_POST
def promote_page(request: HttpRequest, name: str) -> HttpResponse:
    """Make a version live; one that won no trial needs a reason."""
    found = version_or_404(name)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.warning(request, "The reason is too long.")
        return redirect("training:version", name)
    try:
        promotion.promote(
            found,
            by=signed_in(request),
            why=form.cleaned_data["why"],
            over=promotion.seen_as_live(form.cleaned_data["over"]),
        )
    except Declined as declined:
        messages.warning(request, str(declined))
        return redirect("training:version", name)
    messages.success(request, f"{found} is live.")
    return redirect("training:versions")


@asking("training.promote_version")
@require_POST
def roll_back(request: HttpRequest) -> HttpResponse:
    """Roll back to the version before the live one."""
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.warning(request, "The reason is too long.")
        return redirect("training:versions")
    why = form.cleaned_data["why"]
    try:
        over = promotion.seen_as_live(form.cleaned_data["over"])
        done = promotion.rollback(by=signed_in(request), why=why, over=over)
    except Declined as declined:
        messages.warning(request, str(declined))
    else:
        messages.success(request, f"{done.after} is live again; {done.before} was taken back.")
    return redirect("training:versions")
