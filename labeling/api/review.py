"""/api/v1/labels/…: disputes, agreement between labelers, and batches with their undo."""

from __future__ import annotations

from dataclasses import asdict
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.api.labels import MayLabelOrLook
from labeling.api.queue import LabelView, MayReview
from labeling.batches import alerts, grid, review
from labeling.decisions import agreement
from labeling.models import Batch, LabelerAlert, LabelEvent
from predictions.api.endpoints import DigitField
from predictions.api.paging import PageQuery, cut
from predictions.api.schema import page_shape


class SaidOutput(serializers.Serializer[Any]):
    """One thing somebody said about an item."""

    by = serializers.CharField(help_text='A name, or "a visitor".')
    kind = serializers.ChoiceField(choices=LabelEvent.Kind.choices)
    digit = DigitField(allow_null=True, help_text="Null if unreadable.")
    at = serializers.DateTimeField()
    guess_shown = serializers.BooleanField()


class DisputeOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    glyph_url = serializers.CharField()
    drawing_url = serializers.CharField()
    guess = DigitField(allow_null=True, help_text="Null for an audit, which is settled blind.")
    confidence = serializers.FloatField(
        allow_null=True, min_value=0, max_value=1, help_text="Null for an audit."
    )
    model = serializers.CharField()
    created_at = serializers.DateTimeField()
    said = SaidOutput(many=True)


class DisputesView(LabelView):
    queries = {"GET": PageQuery}
    permission_classes = [MayReview]

    @extend_schema(
        operation_id="labels_disputes",
        responses={200: page_shape("DisputePageOutput", DisputeOutput)},
    )
    def get(self, request: Request) -> Response:
        """Items that wait for a ruling, newest first, with who said what and when."""
        page = review.disputes(**self.asked)
        return self.listed([dispute_body(each) for each in page.disputes], page.next_query)


def dispute_body(dispute: review.Dispute) -> dict[str, Any]:
    prediction = dispute.prediction
    return {
        "id": str(prediction.public_id),
        "glyph_url": prediction.glyph_url,
        "drawing_url": prediction.drawing_url,
        "guess": None if prediction.is_audit else prediction.digit,
        "confidence": None if prediction.is_audit else prediction.confidence,
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
    """A figure with its 95% interval; null where it is undefined."""

    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField(help_text="The number of items behind it.")


class ShareOutput(EstimateOutput):
    hits = serializers.IntegerField()


class PairOutput(serializers.Serializer[Any]):
    one = serializers.CharField()
    other = serializers.CharField()
    kappa = EstimateOutput(help_text="Cohen's kappa.")


class LabelerOutput(serializers.Serializer[Any]):
    labeler = serializers.CharField()
    labels = serializers.IntegerField()
    gold = ShareOutput(help_text="Accuracy on gold, items with a known answer.")


class TallyOutput(serializers.Serializer[Any]):
    """Answers that two or more other people contradict, and all answers of the kind."""

    wrong = serializers.IntegerField()
    n = serializers.IntegerField()
    others_wrong = serializers.IntegerField()
    others_n = serializers.IntegerField()


class LabelerAlertOutput(serializers.Serializer[Any]):
    """A labeler who is clearly below the others."""

    labeler = serializers.CharField()
    raised_at = serializers.DateTimeField()
    since = serializers.DateField(help_text="The month from which it is clearest.")
    gold = TallyOutput(help_text="Answers to items whose answer is known.")
    first = TallyOutput(help_text="Answers given before anybody else's.")
    sentence = serializers.CharField(help_text="The same in words.")


class AgreementOutput(serializers.Serializer[Any]):
    alpha = EstimateOutput(help_text="Krippendorff's alpha (nominal) over all labelers.")
    pairs = PairOutput(many=True)
    labelers = LabelerOutput(many=True)
    alerts = LabelerAlertOutput(many=True, help_text="Without those about yourself.")


class AgreementView(LabelView):
    permission_classes = [MayReview]

    @extend_schema(operation_id="labels_agreement", responses={200: AgreementOutput})
    def get(self, request: Request) -> Response:
        """How far labelers agree with each other and with what is known."""
        found = alerts.open_alerts(for_reviewer=self.person)
        told = [alert_body(alert) for alert in found]
        return Response({**asdict(agreement.between_labelers()), "alerts": told})


def alert_body(alert: LabelerAlert) -> dict[str, Any]:
    return {
        "labeler": alert.labeler.get_username(),
        "raised_at": alert.raised_at,
        **alert.figures,
        "sentence": alerts.alert_in_words(alert),
    }


class LabelBatchOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=Batch.Kind.choices)
    labels = serializers.IntegerField(min_value=0)
    made_by = serializers.CharField(allow_null=True)
    made_at = serializers.DateTimeField()
    undone_by = serializers.CharField(allow_null=True)
    undone_at = serializers.DateTimeField(allow_null=True, help_text="Null unless it was undone.")


class BatchesView(LabelView):
    permission_classes = [MayLabelOrLook]
    queries = {"GET": PageQuery}

    @extend_schema(
        operation_id="labels_batches",
        responses={200: page_shape("LabelBatchPage", LabelBatchOutput)},
    )
    def get(self, request: Request) -> Response:
        """Batches of labels, newest first: all of them, or your own where you may only label."""
        found = batches_before(self.asked.get("before"), self.person)
        page = cut(found, attrgetter("pk"), self.asked["limit"])
        return self.listed([batch_body(batch) for batch in page.rows], page.next_query)


def batches_before(last: UUID | None, person: User) -> QuerySet[Batch]:
    """Batches this person may see, made before batch `last`; none if there is no such batch."""
    batches = Batch.objects.select_related("made_by", "undone_by").order_by("-made_at", "-pk")
    if not person.has_perm("labeling.view_batch"):
        batches = batches.filter(made_by=person)
    if last is not None:
        at = Batch.objects.filter(pk=last).values("made_at")[:1]
        batches = batches.filter(Q(made_at__lt=at) | Q(made_at=at, pk__lt=last))
    return batches


def batch_body(batch: Batch) -> dict[str, Any]:
    return {
        "id": batch.pk,
        "kind": batch.kind,
        "labels": batch.count,
        "made_by": batch.made_by and batch.made_by.get_username(),
        "made_at": batch.made_at,
        "undone_by": batch.undone_by and batch.undone_by.get_username(),
        "undone_at": batch.undone_at,
    }


class BatchUndoneOutput(serializers.Serializer[Any]):
    undone = serializers.IntegerField(help_text="The number of labels taken back.")


class BatchUndoView(LabelView):
    @extend_schema(
        operation_id="labels_batch_undo",
        request=None,
        responses={200: BatchUndoneOutput},
    )
    def post(self, request: Request, batch_id: UUID) -> Response:
        """Take a whole batch back: a grid of your own, or any for who may correct in bulk."""
        return Response({"undone": grid.undo_grid(self.labeler, batch_id)})
