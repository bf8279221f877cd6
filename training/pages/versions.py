"""The pages of model versions."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import Prefetch, Q
from django.db.models.functions import Length
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_POST, require_safe

from predictions.access.permissions import page_for, signed_in
from predictions.errors import Declined
from predictions.models import Artifact, ModelVersion
from predictions.refusals import problem, refusal_page
from predictions.serving.network import UnsoundWeights
from predictions.serving.registry import FILES, checked_content
from training.api.runs import run_detail
from training.api.versions import version_or_404
from training.models import GateReport, Promotion, Run, Trial
from training.pages.forms import NoteForm, ReasonForm, TwoVersionsForm
from training.snapshots.lineage import ancestry, labelers_of, run_of
from training.trials.summary import OF_TRIAL, Shown, latest_shown, shown
from training.versions import notes, promotion
from training.versions.ledger import spans

LEDGER_SHOWN = 50


def deciding(version: ModelVersion, report: GateReport | None) -> dict[str, Any]:
    """How its trial stands, whether a version can be promoted, and whether it won its trial."""
    live = promotion.live_version()
    is_live = live is not None and live.pk == version.pk
    return {
        "version": version,
        "trial": latest_shown(version.pk),
        "live": live,
        "before": promotion.version_below(version) if is_live else None,
        "may_go_live": not is_live,
        "spoken_for": promotion.speaks_for(report, version, live),
    }


@page_for("training.view_run")
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
    live_times, live = spans(), promotion.live_version()
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
        "live": live,
        "shipped": promotion.shipped_and_waiting(),
        "before": promotion.version_below(live) if live else None,
    }
    return render(request, "training/versions.html", context)


@page_for("training.view_run")
@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """Two versions side by side, and how they did in a trial against each other."""
    form = TwoVersionsForm(request.GET)
    if not form.is_valid():
        message = "Choose two versions, by the names they have on the page of versions."
        return problem(
            request,
            "invalid",
            message,
            status=400,
            title="No such two versions",
            again=reverse("training:versions"),
        )
    one, other = form.cleaned_data["one"], form.cleaned_data["other"]
    both = Q(candidate=one, against=other) | Q(candidate=other, against=one)
    trials = Trial.objects.filter(both).select_related(*OF_TRIAL)
    live_times = spans()
    context = {
        "sides": [one, other],
        "spans": [live_times.get(side.pk, []) for side in (one, other)],
        "rows": [
            (title, before, after, before != after)
            for title, before, after in lined_up(facts_of(one), facts_of(other))
        ],
        "scores": lined_up(scores_of(one), scores_of(other)),
        "trials": [shown(trial) for trial in trials],
    }
    return render(request, "training/compare.html", context)


def lined_up(
    one: list[tuple[str, Any]], other: list[tuple[str, Any]]
) -> list[tuple[str, Any, Any]]:
    """What both cards say under the same title; None where one of them says nothing."""
    first, second = dict(one), dict(other)
    return [(title, first.get(title), second.get(title)) for title in first | second]


@page_for("training.view_run")
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
        "files": files_of(found),
        "spans": spans().get(found.pk, []),
        "entries": Promotion.objects.select_related("before", "after", "by").filter(after=found),
    }
    return render(request, "training/version.html", context)


def files_of(version: ModelVersion) -> list[dict[str, Any]]:
    """The files of its weights: what each is for, its name, its size and its SHA-256."""
    artifacts = version.artifacts.annotate(size=Length("content")).order_by("kind")
    return [
        {
            "title": artifact.get_kind_display(),
            "name": FILES[Artifact.Kind(artifact.kind)],
            "size": artifact.size,
            "sha256": artifact.sha256,
        }
        for artifact in artifacts.defer("content")
    ]


@page_for("training.view_run")
@require_safe
def weights_file(request: HttpRequest, name: str, kind: Artifact.Kind) -> HttpResponse:
    """A file of its weights, if they are still the registered ones."""
    found = version_or_404(name)
    try:
        content = checked_content(found, kind)
    except UnsoundWeights as unsound:
        return refusal_page(request, unsound)
    named = content_disposition_header(as_attachment=True, filename=f"{found.name}-{FILES[kind]}")
    return HttpResponse(
        content,
        content_type="application/octet-stream",
        headers={"Content-Disposition": named or "attachment"},
    )


@page_for("training.promote_version")
@require_POST
def annotate_page(request: HttpRequest, name: str) -> HttpResponse:
    """Keep a note and tags on a version, in the place of the former ones."""
    found = version_or_404(name)
    form = NoteForm(request.POST)
    if form.is_valid():
        notes.annotate(found, **form.cleaned_data, by=signed_in(request))
        messages.success(request, f"The note and tags of {found} are saved.")
    else:
        for errors in form.errors.values():
            messages.warning(request, " ".join(str(error) for error in errors))
    return redirect("training:version", name)


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
        (name.replace("_", " ").replace("mnist", "MNIST"), found["accuracy"])
        for name, found in metrics.items()
        if isinstance(found, dict) and "accuracy" in found
    ]


def evidence_of(trial: Shown | None, report: GateReport | None) -> dict[str, Any]:
    """What a trial rests on; without a trial, the sets of a report from before there were any."""
    if trial is not None:
        figures = trial.figures
        return {"changed": figures["changed"], "unshown": figures.get("unshown", 0)}
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


@page_for("training.promote_version")
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


@page_for("training.promote_version")
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
