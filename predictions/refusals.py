"""One error shape for every endpoint: {"error": {"code", "message", "fields"?}}."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import render
from rest_framework import exceptions
from rest_framework.response import Response

from predictions.errors import Declined, ImageRefused, NoInk

STATUS_OF = {
    "not_found": 404,
    "no_model": 503,
    "busy": 503,
    "too_many_requests": 429,
    "image_too_large": 413,
    "image_format": 415,
    "bad_file": 422,
    "too_many": 413,
    "idempotency_key_reused": 422,
}
CODES = {
    400: "bad_request",
    401: "not_signed_in",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
    503: "unavailable",
}


def error_body(code: str, message: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    if fields:
        error["fields"] = fields
    return {"error": error}


def status_of(declined: Declined) -> int:
    """422 for an image we cannot use, 409 for anything else that is understood and refused."""
    if declined.code in STATUS_OF:
        return STATUS_OF[declined.code]
    return 422 if isinstance(declined, ImageRefused | NoInk) else 409


def retry_after(declined: Declined) -> dict[str, str]:
    return {} if declined.retry_after is None else {"Retry-After": str(declined.retry_after)}


def as_response(exception: Exception, context: dict[str, Any]) -> Response | None:
    """An endpoint's answer to an exception; None if it is a bug, which is raised."""
    if isinstance(exception, Declined):
        body = error_body(exception.code, str(exception))
        return Response(body, status=status_of(exception), headers=retry_after(exception))
    if isinstance(exception, TooManyFieldsSent | TooManyFilesSent | MultiPartParserError):
        return Response(error_body("bad_request", str(exception)), status=400)
    if isinstance(exception, RequestDataTooBig):
        return Response(error_body("too_large", "The request is too large."), status=413)
    if isinstance(exception, OperationalError):
        body = error_body("unavailable", "The database does not answer; try again shortly.")
        return Response(body, status=503, headers={"Retry-After": "2"})
    if isinstance(exception, Http404):
        exception = exceptions.NotFound()
    if isinstance(exception, PermissionDenied):
        exception = exceptions.PermissionDenied()
    if isinstance(exception, exceptions.APIException):
        return api_exception(exception)
    return None


def api_exception(exception: exceptions.APIException) -> Response:
    headers = {}
    if wait := getattr(exception, "wait", None):
        headers["Retry-After"] = str(int(wait) + 1)
    if auth_header := getattr(exception, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    code = CODES.get(exception.status_code, exception.default_code)
    if exception.default_code == "csrf":
        code = "csrf"
    if isinstance(exception, exceptions.ValidationError):
        return Response(validation_body(exception), status=400, headers=headers)
    return Response(
        error_body(code, str(exception.detail)), status=exception.status_code, headers=headers
    )


def validation_body(exception: exceptions.ValidationError) -> dict[str, Any]:
    detail = exception.detail
    if isinstance(detail, dict):
        fields = dict(flat(detail))
        first = next(iter(fields.items()))
        return error_body("invalid", f"{first[0]}: {first[1][0]}", fields)
    return error_body("invalid", " ".join(str(said) for said in as_list(detail)))


def flat(detail: Any, name: str = "") -> Iterator[tuple[str, list[str]]]:
    """What is wrong with each field; one inside another is named `outer.inner`."""
    if isinstance(detail, dict):
        for inner, said in detail.items():
            yield from flat(said, f"{name}.{inner}" if name else str(inner))
    elif isinstance(detail, list) and any(isinstance(each, dict) for each in detail):
        for at, said in enumerate(detail):
            yield from flat(said, f"{name}.{at}")
    elif detail:
        yield name, [str(said) for said in as_list(detail)]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def problem(
    request: HttpRequest, code: str, message: str, *, status: int, title: str = "", again: str = ""
) -> HttpResponse:
    """A refusal outside the endpoints: JSON for a program, a page for a person.

    `again` is the address where one may start again.
    """
    if request.path.startswith("/api/"):
        return JsonResponse(error_body(code, message), status=status)
    context = {"status": status, "title": title or message, "message": message, "again": again}
    return render(request, "problem.html", context, status=status)


def no_such_page(
    request: HttpRequest, message: str, *, title: str = "No such page"
) -> HttpResponse:
    """The query asks for something that does not exist; link to the page without a query."""
    return problem(request, "invalid", message, status=400, title=title, again=request.path)


def refusal_page(request: HttpRequest, declined: Declined) -> HttpResponse:
    """A page's answer to a Declined."""
    response = problem(request, declined.code, str(declined), status=status_of(declined))
    for name, value in retry_after(declined).items():
        response[name] = value
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return problem(request, "bad_request", "The request cannot be understood.", status=400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    message = "Your account may not do this. An admin can give it the role it needs."
    return problem(request, "forbidden", message, status=403, title="Not allowed")


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    message = "There is nothing at this address."
    return problem(request, "not_found", message, status=404, title="Not found")


def server_error(request: HttpRequest) -> HttpResponseBase:
    message = "Something went wrong on our side. Nothing you sent before is lost."
    return problem(request, "server_error", message, status=500, title="Our mistake")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    message = "The page was open too long or cookies are off. Reload it and try again."
    return problem(request, "csrf", message, status=403, title="Please try again")
