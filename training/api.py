"""/api/v1/versions/: what there is, what the gate said, which one answers, and changing that."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db.models import Prefetch
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from predictions.api import ErrorOutput
from predictions.models import Artifact, ModelVersion
from training import promotion
from training.models import GateReport, Promotion

PAGE = 50
PAGE_MOST = 100
WHY_MOST = 2_000  # characters


class MayView(BasePermission):
    message = "Looking at model versions needs the role of a trainer, analyst or reviewer."

    def has_permission(self, request: Request, view: Any) -> bool:
        return request.user.has_perm("predictions.view_modelversion")


class MayPromote(BasePermission):
    message = "Changing which version answers needs the role of a trainer."

    def has_permission(self, request: Request, view: Any) -> bool:
        return request.user.has_perm("training.promote_version")


class StrictQuery(serializers.Serializer[Any]):
    """Query parameters; one that is not named is refused."""

    def validate(self, query: dict[str, Any]) -> dict[str, Any]:
        if unknown := set(self.initial_data) - set(self.fields):
            raise serializers.ValidationError(
                {name: ["There is no such parameter."] for name in sorted(unknown)}
            )
        return query


class VersionsQuery(StrictQuery):
    before = serializers.CharField(
        required=False, max_length=60, help_text="The name of the last version on the page before."
    )
    limit = serializers.IntegerField(
        default=PAGE, min_value=1, max_value=PAGE_MOST, help_text=f"{PAGE} unless told."
    )


class LiveQuery(StrictQuery):
    at = serializers.DateTimeField(required=False, help_text="Now unless told.")


class ReportOutput(serializers.Serializer[Any]):
    verdict = serializers.ChoiceField(choices=GateReport.Verdict.values)
    against = serializers.CharField(help_text="The version that was live then.")
    labels_needed = serializers.IntegerField(
        allow_null=True,
        help_text="So many more settled drawings of those that judge: held out, or audits.",
    )
    reasons = serializers.ListField(
        child=serializers.CharField(), help_text="In words, the deciding ones first."
    )
    look = serializers.IntegerField(
        help_text="The how-manieth comparison with that live version it is."
    )
    made_at = serializers.DateTimeField()


class FullReportOutput(ReportOutput):
    figures = serializers.DictField(help_text="Every count, interval and bound behind it.")


class PromotionOutput(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=Promotion.Kind.values)
    before = serializers.CharField(allow_null=True, help_text="The version that was live.")
    after = serializers.CharField(help_text="The version that is live now.")
    by = serializers.CharField(allow_null=True, help_text="Nobody when it happened by itself.")
    why = serializers.CharField()
    made_at = serializers.DateTimeField()


class VersionOutput(serializers.Serializer[Any]):
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=ModelVersion.State.choices)
    parent = serializers.CharField(  # type: ignore[assignment]  # declared, not inherited
        allow_null=True, help_text="What it was fine-tuned from."
    )
    created_at = serializers.DateTimeField()
    live_since = serializers.DateTimeField(
        allow_null=True, help_text="When it last went live; empty if never."
    )
    report = ReportOutput(allow_null=True, help_text="The gate's latest.")


class FullVersionOutput(VersionOutput):
    card = serializers.DictField(help_text="Recipe, size and figures.")
    report = FullReportOutput(allow_null=True)
    digests = serializers.DictField(
        child=serializers.CharField(), help_text="SHA-256 of its weights by kind."
    )
    ledger = PromotionOutput(many=True, help_text="When it came and went, newest first.")


class VersionPage(serializers.Serializer[Any]):
    results = VersionOutput(many=True)
    next = serializers.URLField(allow_null=True)


class LiveOutput(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    name = serializers.CharField()


class OverInput(serializers.Serializer[Any]):
    why = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=WHY_MOST,
        help_text="Needed for anything but a version the gate speaks for.",
    )
    over = serializers.CharField(
        required=False,
        max_length=60,
        help_text="The version you saw as live: if another is by now, nothing happens (409).",
    )


class RollbackInput(OverInput):
    why = serializers.CharField(max_length=WHY_MOST)


class VersionView(APIView):
    permission_classes = [MayView]

    @property
    def person(self) -> User:
        assert isinstance(self.request.user, User)  # the permission lets nobody else in
        return self.request.user


class VersionsView(VersionView):
    @extend_schema(
        operation_id="versions_list",
        parameters=[VersionsQuery],
        responses={200: VersionPage, "default": ErrorOutput},
    )
    def get(self, request: Request) -> Response:
        """Model versions, newest first, page by page, each with the gate's latest word."""
        query = VersionsQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        before, limit = query.validated_data.get("before"), query.validated_data["limit"]
        rows = with_reports(figures=False).defer("card", "canary", "parent__card", "parent__canary")
        if before is not None:
            rows = rows.filter(pk__lt=version_or_404(before).pk)
        found = list(rows.order_by("-pk")[: limit + 1])
        following = None
        if len(found) > limit:
            rest = urlencode({"before": found[limit - 1].name, "limit": limit})
            following = request.build_absolute_uri(f"?{rest}")
        return Response(
            {"results": [version_body(row) for row in found[:limit]], "next": following}
        )


class OneVersionView(VersionView):
    @extend_schema(
        operation_id="versions_read",
        responses={200: FullVersionOutput, "default": ErrorOutput},
    )
    def get(self, request: Request, name: str) -> Response:
        """One version: card, digests of the weights, the gate's report, its comings and goings."""
        version = get_object_or_404(with_reports(figures=True).defer("canary"), name=name)
        report = latest_report_of(version)
        ledger = (version.promotions.all() | version.demotions.all()).select_related(
            "before", "after", "by"
        )
        digests = Artifact.objects.filter(version=version).values_list("kind", "sha256")
        return Response(
            {
                **version_body(version),
                "card": version.card,
                "report": report and {**report_body(report), "figures": report.figures},
                "digests": dict(digests),
                "ledger": [promotion_body(row) for row in ledger],
            }
        )


class PromoteView(VersionView):
    permission_classes = [MayPromote]

    @extend_schema(
        operation_id="versions_promote",
        request=OverInput,
        responses={200: PromotionOutput, "default": ErrorOutput},
    )
    def post(self, request: Request, name: str) -> Response:
        """Let this version answer from now on."""
        said = OverInput(data=request.data)
        said.is_valid(raise_exception=True)
        done = promotion.promote(
            version_or_404(name),
            by=self.person,
            why=said.validated_data["why"],
            over=seen_as_live(said),
        )
        return Response(promotion_body(done))


class RollbackView(VersionView):
    permission_classes = [MayPromote]

    @extend_schema(
        operation_id="versions_rollback",
        request=RollbackInput,
        responses={200: PromotionOutput, "default": ErrorOutput},
    )
    def post(self, request: Request) -> Response:
        """Let the version answer again that did before this one."""
        said = RollbackInput(data=request.data)
        said.is_valid(raise_exception=True)
        done = promotion.rollback(
            by=self.person, why=said.validated_data["why"], over=seen_as_live(said)
        )
        return Response(promotion_body(done))


class LiveView(VersionView):
    @extend_schema(
        operation_id="versions_live",
        parameters=[LiveQuery],
        responses={200: LiveOutput, "default": ErrorOutput},
    )
    def get(self, request: Request) -> Response:
        """Which version was live at a moment."""
        query = LiveQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        at = query.validated_data.get("at") or timezone.now()
        version = promotion.live_at(at)
        if version is None:
            raise Http404
        return Response({"at": at.isoformat(), "name": version.name})


def version_or_404(name: str) -> ModelVersion:
    return get_object_or_404(ModelVersion.objects.defer("card", "canary"), name=name)


def seen_as_live(said: serializers.Serializer[Any]) -> ModelVersion | None:
    name = said.validated_data.get("over")
    if name is None:
        return None
    seen = ModelVersion.objects.filter(name=name).defer("card", "canary").first()
    if seen is None:
        raise serializers.ValidationError({"over": ["There is no such version."]})
    return seen


def with_reports(*, figures: bool) -> Any:
    """Versions with their gate reports, which hold large figures only where asked for."""
    reports = GateReport.objects.select_related("against").only(
        "candidate", "against__name", "verdict", "labels_needed", "reasons", "look", "made_at",
        *(["figures"] if figures else []),
    )  # fmt: skip
    return ModelVersion.objects.select_related("parent").prefetch_related(
        Prefetch("gate_reports", reports)
    )


def latest_report_of(version: ModelVersion) -> GateReport | None:
    return next(iter(version.gate_reports.all()), None)


def version_body(version: ModelVersion) -> dict[str, Any]:
    report = latest_report_of(version)
    return {
        "name": version.name,
        "state": version.state,
        "parent": version.parent and version.parent.name,
        "created_at": version.created_at.isoformat(),
        "live_since": version.live_since and version.live_since.isoformat(),
        "report": report and report_body(report),
    }


def report_body(report: GateReport) -> dict[str, Any]:
    return {
        "verdict": report.verdict,
        "against": report.against.name,
        "labels_needed": report.labels_needed,
        "reasons": report.reasons,
        "look": report.look,
        "made_at": report.made_at.isoformat(),
    }


def promotion_body(row: Promotion) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "before": row.before and row.before.name,
        "after": row.after.name,
        "by": row.by and row.by.get_username(),
        "why": row.why,
        "made_at": row.made_at.isoformat(),
    }
