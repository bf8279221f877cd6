"""The OpenAPI schema: what drf-spectacular cannot read from our endpoints."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import conditional_page, require_safe
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, inline_serializer
from rest_framework import serializers
from rest_framework.serializers import Serializer

from predictions.access.permissions import Everybody

# Patterns of text that may be sent: no NUL; if text is required, not only white space.
TEXT, SAID = r"^[^\u0000]*$", r"^[^\u0000]*[^\s\u0000][^\u0000]*$"
SAFE = {"GET", "HEAD", "OPTIONS"}
KEY = {"type": "string", "minLength": 8, "maxLength": 100, "pattern": "^[!-~]{8,100}$"}
KEPT = "Sent again within a day, the same request is answered as it was, not repeated."
NOT_KEPT = "Without effect here: no answer is kept."
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag of an answer you have: 304 says that nothing has changed.",
)
# Descriptions of answers by status, for endpoints that give none.
ANSWERS = {
    "200": "Done.",
    "201": "Made.",
    "204": "Done, and nothing to tell.",
    "304": "Nothing has changed.",
    "default": "Refused: the code says why to a program, the message to a person.",
}
UNSAID = {"", "No response body"}
# A list of choices whose names all equal their values.
SAME_CHOICES = re.compile(r"\s*^(?:\* `(.*)` - (?i:\1)(?:\n|\Z))+\Z", re.M)


def either(name: str, *shapes: type[Serializer[Any]], **kwargs: Any) -> Any:
    """One of several shapes; for the schema only, it reads and writes nothing."""
    return PolymorphicProxySerializer(name, shapes, resource_type_field_name=None, **kwargs)


def page_shape(name: str, row: type[Serializer[Any]]) -> Any:
    """A page of a list, as `ApiEndpoint.listed` answers it; for the schema only."""
    fields = {"results": row(many=True), "next": serializers.URLField(allow_null=True)}
    return inline_serializer(name, fields)


class ErrorOutput(serializers.Serializer[Any]):
    """The one shape of every refusal."""

    class ErrorDetail(serializers.Serializer[Any]):
        code = serializers.CharField(help_text="For programs: a code that does not change.")
        message = serializers.CharField(help_text="For people: the wording may change.")
        fields = serializers.DictField(  # type: ignore[assignment]
            child=serializers.ListField(child=serializers.CharField()),
            required=False,
            help_text="What is wrong with each field, if the code is `invalid`.",
        )

    error = ErrorDetail()


class Schema(AutoSchema):
    def get_summary(self) -> str:
        """The first sentence."""
        return re.split(r"\.(?:\s|$)", super().get_description(), maxsplit=1)[0]

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular has it
        """What it does, and the scope it takes."""
        scope = getattr(self.view, "scope", "")
        enough = f"`{scope}` or `read`" if self.method in SAFE and scope != "read" else f"`{scope}`"
        return f"{super().get_description()}\n\nA token needs the scope {enough}."

    def get_auth(self) -> list[dict[str, Any]]:
        """An endpoint that is open to everybody takes credentials but needs none."""
        found: list[dict[str, Any]] = super().get_auth()
        if any(isinstance(each, Everybody) for each in self.view.get_permissions()):
            found = [{}, *[each for each in found if each]]
        return found

    def get_override_parameters(self) -> list[Any]:
        queries = getattr(self.view, "queries", {})
        found = [queries[self.method]] if self.method in queries else []
        if self.method in SAFE:
            return found
        # On every change, so that a program may always send it.
        effect = KEPT if getattr(self.view, "keeps_answer", False) else NOT_KEPT
        key = OpenApiParameter("Idempotency-Key", KEY, OpenApiParameter.HEADER, description=effect)
        return [*found, key]

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        """What the endpoint names, and that every refusal has the one shape."""
        refusal = self._get_response_for_code(ErrorOutput, "default")  # type: ignore[no-untyped-call]
        return {**super()._get_response_bodies(direction), "default": refusal}


class TextField(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Adds the pattern of text in requests."""

    target_class = "rest_framework.fields.CharField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        described: dict[str, Any] = auto_schema._map_serializer_field(
            self.target, direction, bypass_extensions=True
        )
        if direction == "request":
            described["pattern"] = TEXT if self.target.allow_blank else SAID
        return {**described, "type": "string"}  # the caller adds null where it is allowed


def one_spelling(endpoints: list[Any]) -> list[Any]:
    """Of an address that answers with and without a final slash, keep the one with it."""
    paths = {path for path, *_ in endpoints}
    return [endpoint for endpoint in endpoints if f"{endpoint[0]}/" not in paths]


def put_plainly(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Describe every answer and remove duplicate types, so that client generators can read it."""
    schemas = result["components"]["schemas"]
    for operation in (each for methods in result["paths"].values() for each in methods.values()):
        for status, answer in operation["responses"].items():
            if answer["description"] in UNSAID:
                answer["description"] = ANSWERS[status]
        body = operation.get("requestBody", {"content": {}})
        for sent in body["content"].values():
            if "oneOf" in schemas[sent["schema"]["$ref"].rpartition("/")[2]]:
                body["required"] = True  # an empty body has none of the shapes
    simplify(result)
    return result


def simplify(node: Any) -> None:
    """Drop redundant alternatives and redundant descriptions of choices."""
    if isinstance(node, list):
        for each in node:
            simplify(each)
    if not isinstance(node, dict):
        return
    for each in node.values():
        simplify(each)
    match node.get("oneOf"):
        case [{**text}, {"type": "string", "maxLength": 0}]:  # the pattern lets blanks through
            del node["oneOf"]
            node.update(text)
        case [{**anything}, {"type": "null"}] if not anything:
            del node["oneOf"]
    words = node.pop("description", "")
    if isinstance(words, dict):  # a property of this name
        node["description"] = words
    elif said := SAME_CHOICES.sub("", words):
        node["description"] = said


@functools.cache
def described() -> bytes:
    """The schema, generated once a process, because that takes most of a second."""
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
