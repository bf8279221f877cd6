"""/api/v1/figures/: the dashboard's figures for programs, as the pages show them."""

from __future__ import annotations

from typing import Any, get_args

from django.http import Http404, HttpResponseBase
from django.urls import reverse
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard.api.data import unchanged_since
from dashboard.figures import catalog
from dashboard.figures.figure import Kind
from dashboard.filters import (
    A_NAME,
    MONTH,
    SOURCES,
    STREAMS,
    Filters,
    UnknownFilter,
    UnmetFilter,
)
from predictions.access.permissions import Everybody
from predictions.api.endpoints import ApiEndpoint, DigitField, Query
from predictions.api.schema import IF_NONE_MATCH

COLUMN_KINDS = get_args(Kind)
A_MONTH = f"^{MONTH.pattern}$"


class FigureQuery(Query):
    """The filters of the pages; none of them means no limit. The fields are for the schema."""

    first = serializers.RegexField(
        A_MONTH, required=False, help_text="The first month, such as 2026-09."
    )
    last = serializers.RegexField(A_MONTH, required=False, help_text="The last month, inclusive.")
    digit = DigitField(
        required=False,
        help_text="Drawings labeled as this digit, or read as it if they need no label.",
    )
    version = serializers.RegexField(
        f"^{A_NAME.pattern}$", required=False, help_text="Drawings that this version read."
    )
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=SOURCES,
        required=False,
        help_text="How the drawings were made: draw, upload, api, batch or import; "
        "without it all but imported ones.",
    )
    stream = serializers.ChoiceField(
        choices=STREAMS, required=False, help_text="The sample; by default audits."
    )

    def to_internal_value(self, data: Any) -> Any:
        self.check_names(data)
        if empty := sorted(name for name, text in data.items() if not text):
            raise serializers.ValidationError({name: ["It is empty."] for name in empty})
        try:
            return {"filters": Filters.parse(data)}
        except UnmetFilter:
            raise
        except UnknownFilter as unknown:
            raise serializers.ValidationError({unknown.name: [str(unknown)]}) from unknown


class FigureNameOutput(serializers.Serializer[Any]):
    name = serializers.CharField()
    shows = serializers.CharField()
    url = serializers.URLField()


class FigureNamesOutput(serializers.Serializer[Any]):
    results = FigureNameOutput(many=True)


class ColumnOutput(serializers.Serializer[Any]):
    key = serializers.CharField()
    title = serializers.CharField()
    kind = serializers.ChoiceField(choices=COLUMN_KINDS)


@extend_schema_field({"type": ["string", "number", "boolean"]})
class CellField(serializers.JSONField):
    pass


class FigureOutput(serializers.Serializer[Any]):
    name = serializers.CharField()
    title = serializers.CharField()
    sentence = serializers.CharField(help_text="A sentence with its main numbers.")
    sampled_from = serializers.CharField(help_text="The sample behind its numbers.")
    columns = ColumnOutput(many=True)
    rows = serializers.ListField(
        child=serializers.ListField(child=CellField(allow_null=True)),
        help_text="In the order of the columns; null is a gap, not zero.",
    )
    warning = serializers.CharField(help_text="Why the sample is biased; empty if it is not.")
    marks = serializers.ListField(
        child=serializers.DictField(child=serializers.CharField()), help_text="Promotions."
    )
    as_of = serializers.CharField(
        help_text="The state of the data; equal text means an equal figure."
    )


class FiguresView(ApiEndpoint):
    """Open like the pages: no figure shows a drawing."""

    scope = "read"
    permission_classes = [Everybody]

    @extend_schema(operation_id="figures_list", responses={200: FigureNamesOutput})
    def get(self, request: Request) -> Response:
        """What there is."""
        return Response({"results": [named(name, request) for name in catalog.FIGURES]})


def named(name: str, request: Request) -> dict[str, str]:
    address = reverse("dashboard_api:figure", args=[name])
    return {
        "name": name,
        "shows": (catalog.FIGURES[name].__doc__ or "").strip(),
        "url": request.build_absolute_uri(address),
    }


class FigureView(ApiEndpoint):
    scope = "read"
    permission_classes = [Everybody]
    queries = {"GET": FigureQuery}

    @extend_schema(
        operation_id="figures_read",
        parameters=[IF_NONE_MATCH],
        responses={200: FigureOutput, 304: None},
    )
    def get(self, request: Request, name: str) -> HttpResponseBase:
        """One figure. Send the ETag back as If-None-Match: 304 says that nothing has changed."""
        if name not in catalog.FIGURES:
            raise Http404
        filters: Filters = self.asked["filters"]
        counted = catalog.data_state(name, filters)
        tag = catalog.etag(name, filters.as_query(), "api", counted)
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if unchanged := unchanged_since(request._request, headers):
            return unchanged
        return Response(catalog.make_figure(name, filters, counted).as_json(), headers=headers)
