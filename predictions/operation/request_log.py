"""The outermost middleware: it gives each request its id, and counts, times and logs it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from predictions import metrics
from predictions.operation import proxy_mismatches
from predictions.operation.trace import HEADER, STATIC, current, id_for, route_of, within

access = logging.getLogger("inkloop.access")

QUIET = {"healthz", "readyz", "metrics", STATIC}  # not logged, because they are too frequent


class ReceptionMiddleware:
    """Gives a request its id, counts and times it, and writes its log line."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        with within(id_for(request)):
            response = self.get_response(request)
            response[HEADER] = current()
            took = time.perf_counter() - began
            route = route_of(request)
            metrics.note_request(route, response.status_code, took)
            if route not in QUIET:
                proxy_mismatches.note_if_mismatched(request)
                self.write(request, route, response.status_code, took)
        return response

    def write(self, request: HttpRequest, route: str, status: int, took: float) -> None:
        if not access.isEnabledFor(logging.INFO):
            return
        fields = {
            "method": request.method,
            "route": route,
            "status": status,
            "ms": round(took * 1000, 1),
        }
        # Only if the request has loaded its user already: a log line must not cost a query.
        user = getattr(request, "_cached_user", None)
        if user is not None and user.pk is not None:
            fields["user"] = user.pk
        access.info(
            "%s %s %s in %.1f ms", request.method, route, status, took * 1000,
            extra={"fields": fields},
        )  # fmt: skip
