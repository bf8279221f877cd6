"""/api/v1/labels/export/: labels as a download, with their glyphs in some formats."""

from __future__ import annotations

from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request

from labeling.files import export
from labeling.models import Label
from predictions.access.permissions import needs
from predictions.api.endpoints import ApiEndpoint, DigitField, Query
from predictions.models import Prediction

KINDS_OF_FILE = """\
- `text/csv`, `application/x-ndjson`: a line for each label;
- `application/json`: Label Studio's tasks;
- `application/zip`: npz, MNIST's IDX files, or images in folders by digit."""


MayViewLabels = needs(
    "labeling.view_label", message="Reading labels needs a role that may see them."
)


class FormatIsOurs(BaseContentNegotiation):
    """`format` selects the file format here, not a renderer; errors are JSON."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class ExportQuery(Query):
    format = serializers.ChoiceField(
        choices=list(export.FORMATS),
        default="csv",
        help_text="csv and ndjson: a row for each label; others: settled labels with glyphs.",
    )
    after = serializers.UUIDField(
        required=False, help_text="Continue after this id, the last one of an interrupted download."
    )
    state = serializers.ChoiceField(choices=Label.State.choices, required=False)
    digit = DigitField(required=False, help_text="Only labels of this digit.")
    is_audit = serializers.BooleanField(
        required=False, help_text="Whether the drawing was chosen at random and labeled blind."
    )
    wrong = serializers.BooleanField(
        default=False, help_text="Only settled labels with another digit than the model read."
    )

    def validate_after(self, after: Any) -> Any:
        if not Prediction.objects.filter(public_id=after).exists():
            raise NotFound("There is no prediction with this id.")
        return after

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Refuse parameters that archives do not support, rather than ignore them."""
        if asked["format"] not in export.ROWS:
            if "after" in asked:
                raise serializers.ValidationError(
                    {"after": ["Only csv and ndjson can be continued."]}
                )
            if asked.get("state", Label.State.SETTLED) != Label.State.SETTLED:
                raise serializers.ValidationError(
                    {"state": ["This format has settled labels only."]}
                )
        return asked


class ExportView(ApiEndpoint):
    scope = "label"
    queries = {"GET": ExportQuery}
    permission_classes = [MayViewLabels]
    content_negotiation_class = FormatIsOurs

    @extend_schema(
        operation_id="labels_export",
        responses={
            # Binary first: some clients read every media type as they read the first.
            (200, "application/zip"): OpenApiResponse(OpenApiTypes.BINARY, KINDS_OF_FILE),
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/x-ndjson"): OpenApiTypes.STR,
            (200, "application/json"): serializers.ListSerializer(child=serializers.DictField()),
        },
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Every label as it stands, streamed; the same files as `manage.py export_labels`."""
        asked = self.asked
        labels = export.wrong() if asked["wrong"] else Label.objects.all()
        for parameter, field in (
            ("state", "state"),
            ("digit", "digit"),
            ("is_audit", "prediction__is_audit"),
        ):
            if asked.get(parameter) is not None:
                labels = labels.filter(**{field: asked[parameter]})
        kind = asked["format"]
        return StreamingHttpResponse(
            export.in_format(kind, labels, after=asked.get("after")),
            content_type=export.FORMATS[kind],
            headers={"Content-Disposition": f'attachment; filename="{export.file_name(kind)}"'},
        )
