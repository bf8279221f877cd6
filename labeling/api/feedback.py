"""/api/v1/predictions/ID/: one prediction, and what people say about it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.decisions.blindness import KEPT, is_kept_from
from labeling.decisions.trust import is_trusted, labels_toward_next_run, take_word
from predictions.access.limits import CaptureThrottle
from predictions.access.permissions import Everybody
from predictions.api.drawings import PredictionOutput, prediction_body
from predictions.api.endpoints import ApiEndpoint, DigitField, Input
from predictions.api.schema import either
from predictions.capture.visitors import make_owner, owner_of
from predictions.models import Prediction


class FeedbackOutput(serializers.Serializer[Any]):
    digit = DigitField(allow_null=True)
    correct = serializers.BooleanField()
    label = serializers.BooleanField(  # type: ignore[assignment]  # the contract's word
        help_text="Whether your feedback is a label at once; except on audits, which are not named."
    )
    labels_toward_next_run = serializers.IntegerField(
        allow_null=True, help_text="Only for people whose feedback becomes a label."
    )


@extend_schema_field({"type": "boolean", "const": True})
class TrueField(serializers.BooleanField):
    pass


class ReadRight(serializers.Serializer[Any]):
    """It was read right."""

    correct = TrueField()


class ReadWrong(serializers.Serializer[Any]):
    """What was drawn: a digit, or null for a drawing that is no digit."""

    digit = DigitField(allow_null=True)


FEEDBACK = either("FeedbackInput", ReadRight, ReadWrong)


class FeedbackInput(Input):
    correct = serializers.BooleanField(required=False)
    digit = DigitField(required=False, allow_null=True)

    def validate(self, said: dict[str, Any]) -> dict[str, Any]:
        if ("correct" in said) == ("digit" in said):
            raise serializers.ValidationError('Send either "correct": true or the true "digit".')
        if said.get("correct") is False:
            raise serializers.ValidationError('When it is wrong, send the true "digit" or null.')
        return said

    def digit_for(self, prediction: Prediction) -> int | None:
        digit: int | None = self.validated_data.get("digit", prediction.digit)
        return digit


class PredictionView(ApiEndpoint):
    """Whoever holds the unguessable id may look; those who label cannot look up a guess."""

    scope = "predict"
    permission_classes = [Everybody]

    @extend_schema(operation_id="predictions_read", responses={200: PredictionOutput})
    def get(self, request: Request, public_id: UUID) -> Response:
        """One prediction."""
        return Response(prediction_body(shown_prediction(request, public_id)))


class FeedbackView(ApiEndpoint):
    scope = "predict"
    permission_classes = [Everybody]
    throttle_classes = [CaptureThrottle]

    @extend_schema(
        operation_id="predictions_feedback",
        request=FEEDBACK,
        responses={200: FeedbackOutput},
    )
    def post(self, request: Request, public_id: UUID) -> Response:
        """Say whether it is right; saying it again replaces what was said."""
        prediction = shown_prediction(request, public_id)  # the answer tells the guess
        said = FeedbackInput(data=request.data)
        said.is_valid(raise_exception=True)
        digit = said.digit_for(prediction)
        take_word(prediction, digit, user=request.user, owner=make_owner(request))
        trusted = is_trusted(request.user)
        return Response(
            {
                "digit": digit,
                "correct": digit == prediction.digit,
                "label": trusted,
                "labels_toward_next_run": labels_toward_next_run() if trusted else None,
            }
        )


def shown_prediction(request: Request, public_id: UUID) -> Prediction:
    if is_kept_from(request.user, owner_of(request), public_id):
        raise PermissionDenied(KEPT)
    return get_object_or_404(Prediction.objects.for_lists(), public_id=public_id)
