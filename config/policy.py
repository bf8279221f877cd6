"""What browsers may load, do and keep on our pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage
from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers

# django-unfold's pages run Alpine, which evaluates attributes; only the admin may.
ADMIN_DIRECTIVES = {
    "script-src": [SELF, UNSAFE_INLINE, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
}


class ContentPolicyMiddleware(CSPMiddleware):
    """Strict everywhere, relaxed under /admin/ alone."""

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        if request.path.startswith("/admin/"):
            response._csp_update = ADMIN_DIRECTIVES
        return super().process_response(request, response)


class PermissionsPolicyMiddleware:
    """No page of ours needs a sensor; the camera is reached through the file picker."""

    POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["Permissions-Policy"] = self.POLICY
        return response


class CachePolicyMiddleware:
    """An answer that says nothing about caching is kept by nobody: most name who is signed in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if "Cache-Control" not in response:
            add_never_cache_headers(response)
        return response


class MessagesCookie(CookieStorage):
    """What the next page says, in a cookie that is named as our others are."""

    cookie_name = settings.MESSAGES_COOKIE_NAME


class Messages(FallbackStorage):
    """In the cookie; what is too long for it, in the session."""

    storage_classes = (MessagesCookie, SessionStorage)
