"""/api/v1/labels/…: what reviewers look at and decide, and whole batches taken back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import agreement, grid, review
from labeling.api import LabelView, MayReview
from labeling.models import LabelEvent
from predictions.api import ErrorOutput
from predictions.paging import PageQuery


class SaidOutput(serializers.Serializer[Any]):
    """One thing somebody said about an item."""

    by = serializers.CharField(help_text='A name, or "a visitor".')
    kind = serializers.ChoiceField(choices=LabelEvent.Kind.choices)
    digit = serializers.IntegerField(allow_null=True, help_text="Null for unreadable.")
    at = serializers.DateTimeField()
    guess_shown = serializers.BooleanField()


class DisputeOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    glyph_url = serializers.CharField()
    drawing_url = serializers.CharField()
    guess = serializers.IntegerField(min_value=0, max_value=9)
    confidence = serializers.FloatField(min_value=0, max_value=1)
    model = serializers.CharField()
    created_at = serializers.DateTimeField()
    said = SaidOutput(many=True)


class DisputePageOutput(serializers.Serializer[Any]):
    results = DisputeOutput(many=True)
    next = serializers.URLField(allow_null=True)


class DisputesView(LabelView):
    queries = {"GET": PageQuery}
    permission_classes = [MayReview]

    @extend_schema(
        operation_id="labels_disputes",
        responses={200: DisputePageOutput, "default": ErrorOutput},
    )
    def get(self, request: Request) -> Response:
        """Items that wait for a ruling, newest first, with who said what and when."""
        page = review.disputes(**self.asked)
        following = page.next_query and request.build_absolute_uri(f"?{page.next_query}")
        return Response(
            {"results": [dispute_body(each) for each in page.disputes], "next": following or None}
        )


def dispute_body(dispute: review.Dispute) -> dict[str, Any]:
    prediction = dispute.prediction
    return {
        "id": str(prediction.public_id),
        "glyph_url": prediction.glyph_url,
        "drawing_url": prediction.drawing_url,
        "guess": prediction.digit,
        "confidence": prediction.confidence,
        "model": prediction.version.name,
        "created_at": prediction.created_at.isoformat(),
        "said": [said_body(event) for event in dispute.said],
    }


def said_body(event: LabelEvent) -> dict[str, Any]:
    return {
        "by": event.labeler.get_username() if event.labeler else "a visitor",
        "kind": event.kind,
        "digit": event.digit,
        "at": event.created_at.isoformat(),
        "guess_shown": event.guess_shown,
    }


class EstimateOutput(serializers.Serializer[Any]):
    """A figure with its 95 % interval; null where it is undefined."""

    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField(help_text="Items it rests on.")


class ShareOutput(EstimateOutput):
    hits = serializers.IntegerField()


class PairOutput(serializers.Serializer[Any]):
    one = serializers.CharField()
    other = serializers.CharField()
    kappa = EstimateOutput(help_text="Cohen's kappa.")


class LabelerOutput(serializers.Serializer[Any]):
    labeler = serializers.CharField()
    labels = serializers.IntegerField()
    gold = ShareOutput(help_text="How they read items whose answer is known.")


class AgreementOutput(serializers.Serializer[Any]):
    alpha = EstimateOutput(help_text="Krippendorff's alpha over all labelers, nominal.")
    pairs = PairOutput(many=True)
    labelers = LabelerOutput(many=True)


class AgreementView(LabelView):
    permission_classes = [MayReview]

    @extend_schema(
        operation_id="labels_agreement", responses={200: AgreementOutput, "default": ErrorOutput}
    )
    def get(self, request: Request) -> Response:
        """How far labelers agree with each other and with what is known."""
        return Response(asdict(agreement.between_labelers()))


class BatchUndoneOutput(serializers.Serializer[Any]):
    undone = serializers.IntegerField(help_text="Labels taken back.")


class BatchUndoView(LabelView):
    @extend_schema(
        operation_id="labels_batch_undo",
        request=None,
        responses={200: BatchUndoneOutput, "default": ErrorOutput},
    )
    def post(self, request: Request, batch_id: UUID) -> Response:
        """Take a whole batch back: a grid of your own, or any for who may correct in bulk."""
        return Response({"undone": grid.undo(self.labeler, batch_id)})
