"""The id of the current request, job or run, which is in all its log lines."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Iterator
from contextvars import ContextVar

from django.conf import settings
from django.http import HttpRequest

HEADER = "X-Request-ID"
WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
UNROUTED, STATIC = "unrouted", "static"

_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """The id of the current request, job or run; empty outside of them."""
    return _current.get()


@contextlib.contextmanager
def within(request_id: str) -> Iterator[None]:
    """Set the id for all that is logged in this block."""
    token = _current.set(request_id)
    try:
        yield
    finally:
        _current.reset(token)


def begin_trace(request_id: str) -> None:
    """Set the id from now on, in a process that does one thing after another."""
    _current.set(request_id)


def id_for(request: HttpRequest) -> str:
    """The id that our own proxy sent, if it is well formed; else a new one."""
    given = request.headers.get(HEADER, "")
    if settings.PROXY_COUNT and WELL_FORMED.fullmatch(given):
        return given
    return uuid.uuid4().hex


def route_of(request: HttpRequest) -> str:
    """The name of the route, without the parameters in the address, which may be secret."""
    match = request.resolver_match
    if match is None:
        is_static = request.path_info.startswith(settings.STATIC_URL)
        return STATIC if is_static else UNROUTED
    return match.view_name or match.route
