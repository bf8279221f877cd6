"""/api/v1/versions/ and /api/v1/promotions/: list, promote and roll back model versions."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from django.db.models import Prefetch
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from predictions.access.permissions import needs
from predictions.api.endpoints import ApiEndpoint, Input, Query
from predictions.api.paging import PAGE, PAGE_MOST, cut
from predictions.api.schema import page_shape
from predictions.models import Artifact, ModelVersion
from training.models import GateReport, Promotion
from training.versions import promotion

WHY_MOST = 2_000  # characters


MayView = needs(
    "predictions.view_modelversion",
    message="Looking at model versions needs the role of a trainer, analyst or reviewer.",
)


MayPromote = needs(
    "training.promote_version",
    message="Changing which version answers needs the role of a trainer.",
)


class VersionsQuery(Query):
    before = serializers.CharField(
        required=False, max_length=60, help_text="The name of the last version on the page before."
    )
    limit = serializers.IntegerField(
        default=PAGE, min_value=1, max_value=PAGE_MOST, help_text=f"{PAGE} unless told."
    )


class PromotionsQuery(Query):
    before = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=2**53,
        help_text="The number of the last promotion on the page before.",
    )
    limit = serializers.IntegerField(
        default=PAGE, min_value=1, max_value=PAGE_MOST, help_text=f"{PAGE} unless told."
    )


class LiveQuery(Query):
    at = serializers.DateTimeField(required=False, help_text="Now unless told.")


class ReportOutput(serializers.Serializer[Any]):
    verdict = serializers.ChoiceField(choices=GateReport.Verdict.choices)
    against = serializers.CharField(help_text="The version that was live then.")
    labels_needed = serializers.IntegerField(
        allow_null=True,
        help_text="Only in reports from before there were trials.",
    )
    reasons = serializers.ListField(
        child=serializers.CharField(), help_text="In words, the deciding ones first."
    )
    look = serializers.IntegerField(
        help_text="The how-manieth candidate against that live version it is."
    )
    made_at = serializers.DateTimeField()


class FullReportOutput(ReportOutput):
    figures = serializers.DictField(help_text="Every count behind it.")


class PromotionOutput(serializers.Serializer[Any]):
    number = serializers.IntegerField(help_text="Counts up; pages go on from it.")
    kind = serializers.ChoiceField(choices=Promotion.Kind.choices)
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
    tags = serializers.ListField(child=serializers.CharField())
    note = serializers.CharField(help_text="What people wrote on it.")
    report = ReportOutput(allow_null=True, help_text="How its latest decided trial ended.")


class FullVersionOutput(VersionOutput):
    card = serializers.DictField(help_text="Recipe, size and figures.")
    report = FullReportOutput(allow_null=True)
    digests = serializers.DictField(
        child=serializers.CharField(), help_text="SHA-256 of its weights by kind."
    )
    ledger = PromotionOutput(many=True, help_text="When it came and went, newest first.")


class LiveOutput(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    name = serializers.CharField()


class OverInput(Input):
    why = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=WHY_MOST,
        help_text="Needed for anything but a version that won its trial.",
    )
    over = serializers.CharField(
        required=False,
        max_length=60,
        help_text="The version you saw as live: if another is by now, nothing happens (409).",
    )


class RollbackInput(OverInput):
    why = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=WHY_MOST,
        help_text="For the ledger, which says so where none is given.",
    )


class VersionView(ApiEndpoint):
    scope = "train"
    permission_classes = [MayView]


class VersionsView(VersionView):
    queries = {"GET": VersionsQuery}

    @extend_schema(
        operation_id="versions_list", responses={200: page_shape("VersionPage", VersionOutput)}
    )
    def get(self, request: Request) -> Response:
        """Model versions, newest first, page by page, each with how its trial ended."""
        before, limit = self.asked.get("before"), self.asked["limit"]
        rows = with_reports(figures=False).defer("card", "canary", "parent__card", "parent__canary")
        if before is not None:
            rows = rows.filter(pk__lt=version_or_404(before).pk)
        page = cut(rows.order_by("-pk"), attrgetter("name"), limit)
        return self.listed([version_body(row) for row in page.rows], page.next_query)


class OneVersionView(VersionView):
    @extend_schema(operation_id="versions_read", responses={200: FullVersionOutput})
    def get(self, request: Request, name: str) -> Response:
        """One version: card, digests of the weights, its report, its comings and goings."""
        found = with_reports(figures=True).defer("canary")
        version = get_object_or_404(found, pk=version_or_404(name).pk)
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
        responses={200: PromotionOutput},
    )
    def post(self, request: Request, name: str) -> Response:
        """Let this version answer from now on."""
        said = self.read(OverInput, request)
        done = promotion.promote(
            version_or_404(name),
            by=self.person,
            why=said["why"],
            over=promotion.seen_as_live(said.get("over", "")),
        )
        return Response(promotion_body(done))


class RollbackView(VersionView):
    permission_classes = [MayPromote]

    @extend_schema(
        operation_id="versions_rollback",
        request=RollbackInput,
        responses={200: PromotionOutput},
    )
    def post(self, request: Request) -> Response:
        """Let the version answer again that did before this one."""
        said = self.read(RollbackInput, request)
        over = promotion.seen_as_live(said.get("over", ""))
        done = promotion.rollback(by=self.person, why=said["why"], over=over)
        return Response(promotion_body(done))


class PromotionsView(VersionView):
    queries = {"GET": PromotionsQuery}

    @extend_schema(
        operation_id="promotions_list",
        responses={200: page_shape("PromotionPage", PromotionOutput)},
    )
    def get(self, request: Request) -> Response:
        """The ledger: which version took over from which, who did it and why, newest first."""
        before, limit = self.asked.get("before"), self.asked["limit"]
        rows = Promotion.objects.select_related("before", "after", "by").defer(
            *(f"{side}__{field}" for side in ("before", "after") for field in ("card", "canary"))
        )
        if before is not None:
            rows = rows.filter(pk__lt=before)
        page = cut(rows.order_by("-pk"), attrgetter("pk"), limit)
        return self.listed([promotion_body(row) for row in page.rows], page.next_query)


class LiveView(VersionView):
    queries = {"GET": LiveQuery}

    @extend_schema(operation_id="versions_live", responses={200: LiveOutput})
    def get(self, request: Request) -> Response:
        """Which version was live at a moment."""
        at = self.asked.get("at") or timezone.now()
        version = promotion.live_at(at)
        if version is None:
            raise Http404
        return Response({"at": at.isoformat(), "name": version.name})


def version_or_404(name: str) -> ModelVersion:
    if "\0" in name:  # PostgreSQL refuses it in a query
        raise Http404
    return get_object_or_404(ModelVersion.objects.select_related("parent"), name=name)


def with_reports(*, figures: bool) -> Any:
    """Versions with their gate reports; the large figures only on request."""
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
        "tags": version.tag_list,
        "note": version.note,
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
        "number": row.pk,
        "kind": row.kind,
        "before": row.before and row.before.name,
        "after": row.after.name,
        "by": row.by and row.by.get_username(),
        "why": row.why,
        "made_at": row.made_at.isoformat(),
    }
