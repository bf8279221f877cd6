"""/api/v1/runs/: start, follow and cancel runs."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Length
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.cache import get_conditional_response
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.models import LabelEvent
from predictions.access.permissions import needs
from predictions.api.endpoints import ApiEndpoint, Input
from predictions.api.paging import PageQuery, page_of
from predictions.api.schema import IF_NONE_MATCH, page_shape
from training.models import GateReport, Run, Trial
from training.runs import retrain
from training.runs.outlook import outlook_of
from training.trials.summary import latest_shown

LOG_LINES = 100  # the last lines of the log
MOST_SEED = 2**31 - 1


MayRun = needs(
    "training.view_run",
    to_change="training.start_run",
    message="Fine-tuning needs the role of a trainer.",
)


class RunVerdictOutput(serializers.Serializer[Any]):
    verdict = serializers.ChoiceField(choices=GateReport.Verdict.choices)
    labels_needed = serializers.IntegerField(allow_null=True)
    reasons = serializers.ListField(child=serializers.CharField())


class RunOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=Run.State.choices)
    trigger = serializers.ChoiceField(choices=Run.Trigger.choices)
    asked_by = serializers.CharField(allow_null=True)
    asked_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    progress = serializers.FloatField(min_value=0, max_value=1)
    cancel_asked = serializers.BooleanField()
    attempts = serializers.IntegerField()
    labels = serializers.IntegerField(help_text="In its snapshot.")
    parent = serializers.CharField(  # type: ignore[assignment]  # declared, not inherited
        help_text="The version it started from."
    )
    version = serializers.CharField(allow_null=True, help_text="The version it made.")
    reason = serializers.CharField(help_text="Why it failed or was canceled.")


class EpochOutput(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    loss = serializers.FloatField()
    accuracy = serializers.FloatField(help_text="On the digits of the epoch, while learning them.")
    holdout_accuracy = serializers.FloatField(
        allow_null=True, help_text="Of runs of older releases, which held drawings out; else null."
    )


class RunDetailOutput(RunOutput):
    epochs = EpochOutput(many=True)
    epochs_planned = serializers.IntegerField()
    outlook = serializers.CharField(
        help_text="Its stage, the time left and its rate, in words; empty once it has ended."
    )
    log = serializers.ListField(
        child=serializers.CharField(), help_text=f"The last {LOG_LINES} lines."
    )
    verdict = RunVerdictOutput(allow_null=True, help_text="Null until its trial is decided.")
    trial = serializers.ListField(
        child=serializers.CharField(),
        allow_null=True,
        help_text="How the trial of its version stands, in words.",
    )


class RunInput(Input):
    seed = serializers.IntegerField(default=0, min_value=0, max_value=MOST_SEED)


def runs_for_lists() -> QuerySet[Run]:
    """Runs with related names, without large fields."""
    return Run.objects.select_related("snapshot", "parent", "version", "asked_by").defer(
        "checkpoint",
        "log",
        "recipe",
        "snapshot__rule",
        "snapshot__counts",
        "snapshot__holdout",
        *(f"{name}__{field}" for name in ("parent", "version") for field in ("card", "canary")),
    )


def run_body(run: Run) -> dict[str, Any]:
    return {
        "id": str(run.public_id),
        "state": run.state,
        "trigger": run.trigger,
        "asked_by": run.asked_by.get_username() if run.asked_by else None,
        "asked_at": run.asked_at,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "progress": run.progress,
        "cancel_asked": run.cancel_asked,
        "attempts": run.attempts,
        "labels": run.snapshot.count,
        "parent": run.parent.name,
        "version": run.version.name if run.version else None,
        "reason": run.reason,
    }


def run_detail(run: Run) -> dict[str, Any]:
    return {
        **run_body(run),
        "epochs": [
            {
                "number": epoch.number,
                "loss": epoch.loss,
                "accuracy": epoch.accuracy,
                "holdout_accuracy": epoch.holdout_accuracy,
            }
            for epoch in run.epochs.all()
        ],
        "epochs_planned": run.recipe["epochs"],
        "outlook": outlook_of(run),
        "log": run.log.splitlines()[-LOG_LINES:],
        "verdict": verdict_body(report_of(run)),
        "trial": (found := latest_shown(run.version_id)) and found.sentences,
    }


def report_of(run: Run) -> GateReport | None:
    """The last report on the version that the run made."""
    if run.version_id is None:
        return None
    return GateReport.objects.filter(candidate=run.version_id).first()


def verdict_body(report: GateReport | None) -> dict[str, Any] | None:
    if report is None:
        return None
    return {
        "verdict": report.verdict,
        "labels_needed": report.labels_needed,
        "reasons": report.reasons,
    }


def tag_of(public_id: UUID) -> str | None:
    """An ETag of what a run's page shows, from one small query; None if there is no such run."""
    reports = GateReport.objects.filter(candidate=OuterRef("version")).values("pk")[:1]
    trials = Trial.objects.filter(candidate=OuterRef("version"))
    answers = LabelEvent.objects.order_by("-pk").values("pk")[:1]
    state = (
        Run.objects.filter(public_id=public_id)
        .annotate(
            said=Length("log"),
            points=Count("epochs"),
            report=Subquery(reports),
            tried=Subquery(trials.values("state")[:1]),
            read=Subquery(trials.values("read_up_to")[:1]),
            answered=Subquery(answers),
        )
        .values_list(
            "state", "progress", "cancel_asked", "attempts", "said", "points", "report", "tried",
            "read", "answered",
        )
        .first()
    )  # fmt: skip
    return state and f'"{hashlib.sha256(repr(state).encode()).hexdigest()[:24]}"'


class RunsView(ApiEndpoint):
    scope = "train"
    queries = {"GET": PageQuery}
    permission_classes = [MayRun]

    @extend_schema(operation_id="runs_list", responses={200: page_shape("RunPage", RunOutput)})
    def get(self, request: Request) -> Response:
        """All runs, newest first, page by page."""
        page = page_of(runs_for_lists(), **self.asked)
        return self.listed([run_body(run) for run in page.rows], page.next_query)

    @extend_schema(operation_id="runs_create", request=RunInput, responses={201: RunDetailOutput})
    def post(self, request: Request) -> Response:
        """Freeze what there is to learn and queue a run; declined with the numbers otherwise."""
        given = self.read(RunInput, request)
        run = retrain.ask(trigger=Run.Trigger.API, by=self.person, seed=given["seed"])
        return Response(run_detail(run), status=201)


class RunView(ApiEndpoint):
    scope = "train"
    permission_classes = [MayRun]

    @extend_schema(
        operation_id="runs_read",
        parameters=[IF_NONE_MATCH],
        responses={200: RunDetailOutput, 304: None},
    )
    def get(self, request: Request, public_id: UUID) -> HttpResponseBase:
        """One run. Send the ETag back as If-None-Match: 304 says that nothing has changed."""
        tag = tag_of(public_id)
        if tag is not None:
            unchanged = get_conditional_response(request._request, etag=tag)
            if unchanged is not None:
                return unchanged
        headers = {"ETag": tag or "", "Cache-Control": "private, no-cache"}
        return Response(run_detail(run_or_404(public_id)), headers=headers)


class RunCancelView(ApiEndpoint):
    scope = "train"
    permission_classes = [MayRun]

    @extend_schema(operation_id="runs_cancel", request=None, responses={200: RunDetailOutput})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Stop a run: at once while it waits, within about a second while it works."""
        run = run_or_404(public_id)
        retrain.cancel(run)
        return Response(run_detail(run_or_404(public_id)))


def run_or_404(public_id: UUID) -> Run:
    runs = Run.objects.select_related("snapshot", "parent", "version", "asked_by")
    return get_object_or_404(
        runs.defer("checkpoint", "snapshot__holdout").prefetch_related("epochs"),
        public_id=public_id,
    )
