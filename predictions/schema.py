"""How the API describes itself: what the generator cannot see in our endpoints."""

from __future__ import annotations

import functools
import json
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import conditional_page, require_safe
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from predictions.access import Everybody

# What text may be sent: NUL nowhere, and where something has to be said, more than blanks.
TEXT, SAID = r"^[^\u0000]*$", r"^[^\u0000]*[^\s\u0000][^\u0000]*$"
SAFE = {"GET", "HEAD", "OPTIONS"}
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 8, "maxLength": 100, "pattern": "^[!-~]{8,100}$"},
    OpenApiParameter.HEADER,
    description="Sent again within a day, the same request is answered as it was, not repeated.",
)


class Schema(AutoSchema):
    def get_auth(self) -> list[dict[str, Any]]:
        """What is open to everybody needs no credentials, and takes them."""
        found: list[dict[str, Any]] = super().get_auth()
        if any(isinstance(each, Everybody) for each in self.view.get_permissions()):
            found = [{}, *[each for each in found if each]]
        return found

    def get_override_parameters(self) -> list[Any]:
        queries = getattr(self.view, "queries", {})
        found = [queries[self.method]] if self.method in queries else []
        return found if self.method in SAFE else [*found, IDEMPOTENCY_KEY]


class TextField(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Text as it is taken in."""

    target_class = "rest_framework.fields.CharField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        described: dict[str, Any] = auto_schema._map_serializer_field(
            self.target, direction, bypass_extensions=True
        )
        if direction == "request":
            described["pattern"] = TEXT if self.target.allow_blank else SAID
        return {**described, "type": "string"}  # whoever asks adds that it may be null


class JsonField(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Anything, by its kinds: null is one of them only where it may be."""

    target_class = "rest_framework.fields.JSONField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": ["object", "array", "string", "number", "boolean"]}


def one_spelling(endpoints: list[Any]) -> list[Any]:
    """Of an address that answers with and without a slash at its end, the one that has it."""
    paths = {path for path, *_ in endpoints}
    return [endpoint for endpoint in endpoints if f"{endpoint[0]}/" not in paths]


@functools.cache
def described() -> bytes:
    """The description, made once a process: making it takes most of a second."""
    from drf_spectacular.generators import SchemaGenerator  # it imports this module

    generator: Any = SchemaGenerator
    schema = generator(api_version="v1").get_schema(request=None, public=True)
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":")).encode()


@login_not_required
@require_safe
@conditional_page
def schema(request: HttpRequest) -> HttpResponse:
    """OpenAPI 3.1 as JSON; unchanged, it is answered with 304."""
    return HttpResponse(
        described(),
        content_type="application/vnd.oai.openapi+json",
        headers={"Cache-Control": "public, no-cache"},
    )
