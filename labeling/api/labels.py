"""/api/v1/labels/…: current labels, several answers in one request, the queue, suspects."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.api.export import MayViewLabels
from labeling.api.queue import (
    DecidedOutput,
    LabelInput,
    LabelView,
    MayLabel,
    MayReview,
    decided_body,
)
from labeling.batches import suspicion
from labeling.decisions import decisions
from labeling.decisions.decisions import Answer
from labeling.files import export
from labeling.models import Label, LabelEvent, Stream
from labeling.queue import overview
from predictions.access.permissions import needs
from predictions.api.endpoints import DigitField, Input, Query
from predictions.api.paging import PAGE, PAGE_MOST
from predictions.api.schema import ErrorOutput, either, page_shape
from predictions.errors import Declined
from predictions.models import Prediction
from predictions.refusals import error_body

MANY_MOST = 100
SUSPICIOUS_MOST = 100
NEWEST, OLDEST = "-drawn_at", "drawn_at"
FILTERS = {  # query parameter: field of the label
    "state": "state",
    "digit": "digit",
    "is_unreadable": "is_unreadable",
    "is_audit": "prediction__is_audit",
    "model": "prediction__version__name",
    "labeled_by": "event__labeler__username",
}


class LabelsQuery(Query):
    after = serializers.UUIDField(
        required=False, help_text="The id of the last label of the previous page."
    )
    limit = serializers.IntegerField(
        default=PAGE, min_value=1, max_value=PAGE_MOST, help_text=f"{PAGE} by default."
    )
    ordering = serializers.ChoiceField(
        choices=[NEWEST, OLDEST], default=NEWEST, help_text="By default the newest drawings first."
    )
    state = serializers.ChoiceField(choices=Label.State.choices, required=False)
    digit = DigitField(required=False, help_text="Only labels of this digit.")
    is_unreadable = serializers.BooleanField(required=False)
    is_audit = serializers.BooleanField(
        required=False, help_text="Whether the drawing was chosen at random and labeled blind."
    )
    model = serializers.CharField(
        required=False, max_length=60, help_text="Only drawings that this version read."
    )
    labeled_by = serializers.CharField(
        required=False,
        max_length=150,
        help_text="Only labels whose last decision this person made.",
    )


class LabelOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    digit = DigitField(allow_null=True, help_text="Null if unreadable.")
    is_unreadable = serializers.BooleanField()
    state = serializers.ChoiceField(choices=Label.State.choices)
    opinions = serializers.IntegerField()
    predicted = DigitField()
    confidence = serializers.FloatField(min_value=0, max_value=1)
    model = serializers.CharField()
    is_audit = serializers.BooleanField()
    drawn_at = serializers.DateTimeField()
    labeled_at = serializers.DateTimeField()
    labeled_by = serializers.CharField(
        allow_null=True, help_text="Null for a visitor or an imported file."
    )
    kind = serializers.ChoiceField(choices=LabelEvent.Kind.choices)
    stream = serializers.CharField(help_text="Why the item was shown; empty if it was not shown.")


class LabelsView(LabelView):
    queries = {"GET": LabelsQuery}

    def get_permissions(self) -> list[Any]:
        return [MayViewLabels() if self.request.method == "GET" else MayLabel()]

    @extend_schema(
        operation_id="labels_list", responses={200: page_shape("LabelPage", LabelOutput)}
    )
    def get(self, request: Request) -> Response:
        """Labels as they stand, page by page; the columns of the export."""
        asked = self.asked
        found = page_of_labels(asked)
        rows, next_query = found[: asked["limit"]], ""
        if len(found) > asked["limit"]:
            next_query = urlencode(request.query_params.dict() | {"after": rows[-1]["id"]})
        return self.listed(rows, next_query)

    @extend_schema(operation_id="labels_create", request=LabelInput, responses={200: DecidedOutput})
    def post(self, request: Request) -> Response:
        """Answer an item you hold."""
        return Response(answer_held(self.read(LabelInput, request), self.labeler))


def answer_held(said: dict[str, Any], labeler: User) -> dict[str, Any]:
    decided = decisions.decide(
        said["id"],
        Answer(said["digit"]),
        labeler=labeler,
        token=said["token"],
        request_id=said["request_id"],
        seconds=said.get("seconds"),
        guess_shown=said["guess_shown"],
    )
    return decided_body(decided)


def page_of_labels(asked: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a page and one row more, which shows that there is a next page."""
    labels = Label.objects.order_by("pk" if asked["ordering"] == OLDEST else "-pk")
    for parameter, field in FILTERS.items():
        if asked.get(parameter) is not None:
            labels = labels.filter(**{field: asked[parameter]})
    if asked.get("after") is not None:
        key = Prediction.objects.filter(public_id=asked["after"]).values("pk")[:1]
        beyond = "pk__gt" if asked["ordering"] == OLDEST else "pk__lt"
        labels = labels.filter(**{beyond: key})
    rows = labels.values_list(*export.COLUMNS.values())[: asked["limit"] + 1]
    return [dict(zip(export.COLUMNS, row, strict=True)) for row in rows]


class ManyInput(Input):
    labels = serializers.ListField(child=LabelInput(), min_length=1, max_length=MANY_MOST)


class ManyOutput(serializers.Serializer[Any]):
    results = either(
        "ManyResult",
        DecidedOutput,
        ErrorOutput,
        many=True,
        help_text="In the order of the request.",
    )


class ManyView(LabelView):
    @extend_schema(operation_id="labels_many", request=ManyInput, responses={200: ManyOutput})
    def post(self, request: Request) -> Response:
        """Answer several items you hold, each by itself: what is refused stands in its place."""
        said = self.read(ManyInput, request)["labels"]
        return Response({"results": [self.answer(each) for each in said]})

    def answer(self, said: dict[str, Any]) -> dict[str, Any]:
        try:
            return answer_held(said, self.labeler)
        except Declined as declined:
            return error_body(declined.code, str(declined))


MayLabelOrLook = needs(
    "labeling.label_items",
    "labeling.view_label",
    message="Seeing the queue needs the role of a labeler, or one that may see labels.",
)


class QueueOutput(serializers.Serializer[Any]):
    class OpenItems(serializers.Serializer[Any]):
        audit = serializers.IntegerField()
        feedback = serializers.IntegerField()
        unsure = serializers.IntegerField()
        review = serializers.IntegerField()
        second = serializers.IntegerField()

    open = OpenItems(help_text="Open items of each stream.")
    left = serializers.IntegerField(help_text="All open items.")
    held = serializers.IntegerField(help_text="Open items that somebody holds.")
    disputed = serializers.IntegerField()
    gold = serializers.IntegerField()


class QueueView(LabelView):
    permission_classes = [MayLabelOrLook]

    @extend_schema(operation_id="labels_queue", responses={200: QueueOutput})
    def get(self, request: Request) -> Response:
        """How the queue stands."""
        state = overview.of_queue()
        return Response(
            {
                "open": {stream: state.open_by_stream[stream] for stream in Stream.values},
                "left": sum(state.open_by_stream.values()),
                "held": state.held,
                "disputed": state.disputed,
                "gold": state.gold,
            }
        )


class SuspiciousQuery(Query):
    limit = serializers.IntegerField(
        default=PAGE, min_value=1, max_value=SUSPICIOUS_MOST, help_text=f"{PAGE} by default."
    )


class SuspectOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    glyph_url = serializers.CharField()
    digit = DigitField(help_text="The current label.")
    predicted = DigitField()
    model = serializers.CharField()
    score = serializers.FloatField(
        min_value=-1,
        max_value=1,
        help_text="By how much the model prefers another digit to the label, from 0 to 1.",
    )


class SuspectsOutput(serializers.Serializer[Any]):
    results = SuspectOutput(many=True, help_text="The most suspicious first.")


class SuspiciousInput(Input):
    limit = serializers.IntegerField(
        min_value=1, max_value=SUSPICIOUS_MOST, help_text="How many of the most suspicious to send."
    )


class SentOutput(serializers.Serializer[Any]):
    batch = serializers.UUIDField(help_text="To undo it: POST labels/batches/{id}/undo/.")
    sent = serializers.IntegerField()


class SuspiciousView(LabelView):
    permission_classes = [MayReview]
    queries = {"GET": SuspiciousQuery}

    @extend_schema(operation_id="labels_suspicious", responses={200: SuspectsOutput})
    def get(self, request: Request) -> Response:
        """Settled labels that look wrong by confident learning; audits and gold never."""
        found = suspicion.suspects(self.asked["limit"])
        drawings = suspicion.drawings_of(found)
        return Response(
            {"results": [suspect_body(each, drawings[each.prediction_id]) for each in found]}
        )

    @extend_schema(
        operation_id="labels_suspicious_send",
        request=SuspiciousInput,
        responses={200: SentOutput},
    )
    def post(self, request: Request) -> Response:
        """Send the most suspicious back for a blind look by somebody else."""
        said = self.read(SuspiciousInput, request)
        batch = suspicion.send_suspicious_to_review(said["limit"], by=self.person)
        return Response({"batch": str(batch.pk), "sent": batch.count})


def suspect_body(suspect: suspicion.Suspect, drawing: Prediction) -> dict[str, Any]:
    return {
        "id": str(drawing.public_id),
        "glyph_url": drawing.glyph_url,
        "digit": suspect.digit,
        "predicted": drawing.digit,
        "model": drawing.version.name,
        "score": suspect.score,
    }
