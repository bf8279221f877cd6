"""/api/v1/: drawings in, predictions out."""

from __future__ import annotations

import base64
import re
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.utils.functional import cached_property
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from predictions.access.limits import (
    BATCH_BODY_LIMIT,
    CaptureThrottle,
    PreviewThrottle,
    cost_of_each,
)
from predictions.access.permissions import Everybody
from predictions.api.endpoints import ApiEndpoint, DigitField, Input
from predictions.api.paging import PageQuery, page_of
from predictions.api.parsers import StrictJSONParser
from predictions.api.schema import ErrorOutput, either, page_shape
from predictions.capture import capture
from predictions.capture.visitors import make_owner, owner_of
from predictions.errors import Declined
from predictions.glyphs.box import Box, checked_box
from predictions.glyphs.images import image_from_data_url
from predictions.models import STRANGE, Prediction
from predictions.refusals import error_body

BATCH_MOST = 256
SIDE = r"(0(\.[0-9]{1,12})?|1(\.0{1,12})?)"
BOX_TEXT = rf"^{SIDE},{SIDE},{SIDE},{SIDE}$"
PAGE_SOURCES = {Prediction.Source.DRAW, Prediction.Source.UPLOAD}


class BoxField(serializers.ListField):
    """Left, top, right, bottom."""

    def __init__(self, **kwargs: Any) -> None:
        side = serializers.FloatField(min_value=0, max_value=1)
        super().__init__(child=side, min_length=4, max_length=4, **kwargs)


class ImageFileInput(serializers.Serializer[Any]):
    image = serializers.FileField(help_text="A PNG, JPEG or WebP file.")
    box = serializers.RegexField(
        BOX_TEXT,
        required=False,
        help_text="Read only what is in this box: left,top,right,bottom in shares of the picture.",
    )


class ImageUrlInput(serializers.Serializer[Any]):
    image = serializers.CharField(help_text="The file as a data URL: data:image/png;base64,…")
    box = BoxField(
        required=False,
        help_text="Read only what is in this box: left, top, right, bottom in shares of the "
        "picture.",
    )


class BoxInput(Input):
    box = BoxField()


IMAGE_INPUTS = {"multipart/form-data": ImageFileInput, "application/json": ImageUrlInput}


class PredictionOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    digit = DigitField()
    confidence = serializers.FloatField(min_value=0, max_value=1)
    probabilities = serializers.ListField(
        child=serializers.FloatField(min_value=0, max_value=1), min_length=10, max_length=10
    )
    strangeness = serializers.FloatField(
        help_text="From 0, certainly a digit, to 1, certainly not one."
    )
    is_digit = serializers.BooleanField(
        help_text="False if it is probably not a digit: strangeness is 0.5 or more."
    )
    model = serializers.CharField(help_text="The model version that read it.")
    glyph_url = serializers.CharField(help_text="The 28×28 image the network saw.")
    created_at = serializers.DateTimeField()


class PreviewOutput(PredictionOutput):
    id = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField(allow_null=True)
    box = BoxField(
        help_text="Where the ink was found: left, top, right, bottom in shares of the picture."
    )


class BatchInput(serializers.Serializer[Any]):
    images = serializers.ListField(
        child=serializers.FileField(), min_length=1, max_length=BATCH_MOST
    )


class BatchOutput(serializers.Serializer[Any]):
    results = either(
        "BatchResult",
        PredictionOutput,
        ErrorOutput,
        many=True,
        help_text="In the order of the request.",
    )


def prediction_body(prediction: Prediction) -> dict[str, Any]:
    return {
        "id": str(prediction.public_id),
        "digit": prediction.digit,
        "confidence": prediction.confidence,
        "probabilities": prediction.probabilities,
        "strangeness": prediction.strangeness,
        "is_digit": prediction.is_digit,
        "model": prediction.version.name,
        "glyph_url": prediction.glyph_url,
        "created_at": prediction.created_at.isoformat(),
    }


def preview_body(preview: capture.Preview) -> dict[str, Any]:
    """The same shape if nothing is stored: no id, no time, and the glyph as a data URL."""
    digit, confidence, probabilities, strangeness = preview.reading
    return {
        "id": None,
        "digit": digit,
        "confidence": confidence,
        "probabilities": probabilities.tolist(),
        "strangeness": strangeness,
        "is_digit": strangeness < STRANGE,
        "model": preview.model,
        "glyph_url": "data:image/png;base64," + base64.b64encode(preview.glyph_png).decode(),
        "created_at": None,
        "box": list(preview.box),
    }


def field(request: Request, name: str) -> Any:
    assert not isinstance(request.data, list)  # our parsers accept objects only
    return request.data.get(name)


def image_in(request: Request) -> bytes:
    """The image's bytes, sent as a file or as a data URL."""
    image = field(request, "image")
    if isinstance(image, UploadedFile):
        return image.read()
    if isinstance(image, str):
        return image_from_data_url(image)
    raise serializers.ValidationError({"image": ["Send an image file or a data URL."]})


def box_in(request: Request) -> Box | None:
    """The box that alone is to be read: a list in JSON, with commas in a form."""
    if "box" not in request.data:
        return None
    said = field(request, "box")
    if isinstance(said, str) and request.content_type.startswith("multipart/"):
        if not re.fullmatch(BOX_TEXT, said):
            raise serializers.ValidationError({"box": ["Send left,top,right,bottom."]})
        said = [float(side) for side in said.split(",")]
    given = BoxInput(data={"box": said})
    given.is_valid(raise_exception=True)
    return checked_box(given.validated_data["box"])


def source_in(request: Request) -> str:
    """Our own page says how the drawing was made; anything else came from a program."""
    said = field(request, "source")
    return said if said in PAGE_SOURCES else Prediction.Source.API


class DrawingView(ApiEndpoint):
    """What the endpoints that take one drawing share."""

    scope = "predict"
    permission_classes = [Everybody]
    parser_classes = [MultiPartParser, StrictJSONParser]

    # Not functools' one: in Python 3.11 it has one lock for all requests, and this reads the body.
    @cached_property
    def image(self) -> bytes:
        return image_in(self.request)

    def cost_of(self, request: Request) -> int:
        try:
            return cost_of_each([self.image])
        except (Declined, serializers.ValidationError):
            return 1  # the handler refuses it; it counts as one


class PredictionsView(DrawingView):
    queries = {"GET": PageQuery}

    def throttles_for(self, request: Request) -> list[Any]:
        return [CaptureThrottle()] if request.method == "POST" else []

    @extend_schema(
        operation_id="predictions_create",
        request=IMAGE_INPUTS,
        responses={201: PredictionOutput},
    )
    def post(self, request: Request) -> Response:
        """Read a drawing and store the prediction."""
        prediction = capture.capture(
            self.image,
            owner=make_owner(request),
            source=source_in(request),
            box=box_in(request),
        )
        return Response(prediction_body(prediction), status=201)

    @extend_schema(
        operation_id="predictions_list",
        responses={200: page_shape("PredictionPage", PredictionOutput)},
    )
    def get(self, request: Request) -> Response:
        """Your own predictions, newest first, page by page."""
        own = Prediction.objects.owned_by(owner_of(request)).for_lists()
        page = page_of(own, **self.asked)
        return self.listed([prediction_body(row) for row in page.rows], page.next_query)


class PreviewView(DrawingView):
    throttle_classes = [PreviewThrottle]
    keeps_answer = False

    @extend_schema(
        operation_id="predictions_preview",
        request=IMAGE_INPUTS,
        responses={200: PreviewOutput},
    )
    def post(self, request: Request) -> Response:
        """Read a drawing and store nothing."""
        return Response(preview_body(capture.preview(self.image, box_in(request))))


class BatchView(ApiEndpoint):
    scope = "predict"
    permission_classes = [Everybody]
    parser_classes = [MultiPartParser]
    throttle_classes = [CaptureThrottle]
    body_limit = BATCH_BODY_LIMIT

    @cached_property
    def images(self) -> list[bytes]:
        return [file.read() for file in self.request.FILES.getlist("images")]

    def cost_of(self, request: Request) -> int:
        return cost_of_each(self.images)

    @extend_schema(
        operation_id="predictions_batch",
        request={"multipart/form-data": BatchInput},
        responses={201: BatchOutput},
    )
    def post(self, request: Request) -> Response:
        """Read up to 256 drawings with one version; answers come in the order sent."""
        if not 1 <= len(self.images) <= BATCH_MOST:
            said = f"Send 1 to {BATCH_MOST} files named images, not {len(self.images)}."
            raise serializers.ValidationError({"images": [said]})
        answers = capture.capture_batch(
            self.images, owner=make_owner(request), source=Prediction.Source.BATCH
        )
        return Response({"results": [batch_item(answer) for answer in answers]}, status=201)


def batch_item(answer: Prediction | Declined) -> dict[str, Any]:
    if isinstance(answer, Declined):
        return error_body(answer.code, str(answer))
    return prediction_body(answer)
