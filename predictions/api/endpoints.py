"""What all endpoints under /api/v1/ share: access, strict input, throttles, headers."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.contrib.auth.models import User
from django.utils.cache import patch_cache_control, patch_vary_headers
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from predictions.access.limits import CallerThrottle
from predictions.access.tokens import check_scope
from predictions.api.idempotency import caller_named, once, request_key
from predictions.capture.visitors import owner_of

# The JSON types that each field takes; a number is not taken for a text, nor a text for a number.
JSON_KINDS: dict[type[serializers.Field], tuple[type, ...]] = {
    serializers.BooleanField: (bool,),
    serializers.IntegerField: (int,),
    serializers.FloatField: (int, float),
    serializers.CharField: (str,),
    serializers.UUIDField: (str,),
    serializers.DateTimeField: (str,),
}


class DigitField(serializers.IntegerField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=9, **kwargs)


class Query(serializers.Serializer[Any]):
    """Query parameters; one that is not named is refused."""

    def check_names(self, data: Any) -> None:
        if unknown := set(data) - set(self.fields):
            raise serializers.ValidationError(
                {name: ["There is no such parameter."] for name in sorted(unknown)}
            )

    def to_internal_value(self, data: Any) -> Any:
        self.check_names(data)
        for name, field in self.fields.items():
            if isinstance(field, serializers.BooleanField) and name in data:
                if data[name] not in {"true", "false"}:
                    raise serializers.ValidationError({name: ["It must be true or false."]})
            elif isinstance(field, serializers.UUIDField) and name in data:
                check_uuid(name, data[name])
        return super().to_internal_value(data)


class Input(serializers.Serializer[Any]):
    # A JSON body, without type conversion. A docstring would appear in the schema of each subclass.
    def to_internal_value(self, data: Any) -> Any:
        for name, field in self.fields.items():
            if isinstance(data, dict) and name in data:
                check_kind(name, field, data[name])
        return super().to_internal_value(data)


def check_kind(name: str, field: serializers.Field, value: Any) -> None:
    if value is None:
        return  # the field itself says whether it may be null
    if isinstance(field, serializers.ListField) and isinstance(value, list):
        # The length first: to validate an element costs a thousand times its bytes.
        if field.max_length is not None and len(value) > field.max_length:
            said = f"At most {field.max_length:,} are taken at once, not {len(value):,}."
            raise serializers.ValidationError({name: [said]})
        for each in value:
            check_kind(name, field.child, each)
    if not is_of_kind(field, value):
        raise serializers.ValidationError({name: ["It is of another type."]})
    if isinstance(field, serializers.UUIDField):
        check_uuid(name, value)


def is_of_kind(field: serializers.Field, value: Any) -> bool:
    kinds = next((kinds for each, kinds in JSON_KINDS.items() if isinstance(field, each)), None)
    if kinds is None:
        return True  # the field itself says what it takes
    if isinstance(value, bool):
        return bool in kinds  # to Python, it is an int too
    if kinds == (int,) and isinstance(value, float):
        return value.is_integer()  # JSON has one number type
    return isinstance(value, kinds)


def check_uuid(name: str, value: str) -> None:
    """Refuse other spellings of a UUID, so that programs can compare ids as text."""
    try:
        is_plain = str(UUID(value)) == value.lower()
    except ValueError:
        is_plain = False
    if not is_plain:
        raise serializers.ValidationError({name: ["It must be a UUID."]})


class ApiEndpoint(APIView):
    """The base of all API views.

    `scope` is the scope that a token needs; for reading, `read` is enough too. Without a scope the
    endpoint is closed to tokens. `queries` lists the query parameters of each method; others are
    refused.
    """

    scope: ClassVar[str] = ""
    queries: ClassVar[dict[str, type[Query]]] = {}
    # Whether answers are kept for idempotency keys. False if nothing is changed, if the request has
    # an id of its own, or if the answer has drawings: a copy of a drawing could not be erased.
    keeps_answer: ClassVar[bool] = True
    asked: dict[str, Any]
    throttles: Sequence[BaseThrottle] = ()

    @property
    def person(self) -> User:
        assert isinstance(self.request.user, User)  # the permission lets nobody else in
        return self.request.user

    def read(self, serializer: type[serializers.Serializer[Any]], request: Request) -> Any:
        given = serializer(data=request.data)
        given.is_valid(raise_exception=True)
        return given.validated_data

    def listed(self, results: Sequence[Any], next_query: str) -> Response:
        """A page of a list, and the address of the next page or null."""
        following = next_query and self.request.build_absolute_uri(f"?{next_query}")
        return Response({"results": results, "next": following or None})

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not hasattr(self, (request.method or "").lower()):
            return  # the method itself is refused
        self.asked = self.read_query(request)
        self.keep_answer(request)

    def read_query(self, request: Request) -> dict[str, Any]:
        given = request.query_params
        if not given and request.method not in self.queries:
            return {}
        if twice := sorted(name for name, values in given.lists() if len(values) > 1):
            raise serializers.ValidationError({name: ["Give it once."] for name in twice})
        query = self.queries.get(request.method or "", Query)(data=given.dict())
        query.is_valid(raise_exception=True)
        asked: dict[str, Any] = query.validated_data
        return asked

    def check_permissions(self, request: Request) -> None:
        check_scope(request, self.scope)
        super().check_permissions(request)

    def cost_of(self, request: Request) -> int:
        """What a request costs against the limits."""
        return 1

    def throttles_for(self, request: Request) -> list[BaseThrottle]:
        return super().get_throttles()

    def get_throttles(self) -> list[BaseThrottle]:
        """Keep the throttles, because their headers are added to the answer."""
        self.throttles = self.throttles_for(self.request)
        return self.throttles

    def keep_answer(self, request: Request) -> None:
        """Wrap the handler, so that a change with an idempotency key is made only once.

        A caller without an account or a visitor cookie cannot be identified and has no keys.
        """
        key, caller = request_key(request), caller_named(owner_of(request))
        if key is None or caller is None or request.method in SAFE_METHODS or not self.keeps_answer:
            return
        name = (request.method or "").lower()
        setattr(self, name, functools.partial(once, getattr(self, name), caller, key))

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        answer: Response = super().finalize_response(request, response, *args, **kwargs)
        patch_vary_headers(answer, ["Authorization"])
        if "Cache-Control" not in answer:
            patch_cache_control(answer, private=True, no_cache=True)
        for throttle in self.throttles:
            if isinstance(throttle, CallerThrottle):
                for header, value in throttle.headers().items():
                    answer[header] = value
        return answer
