"""What browsers may load, do and keep on our pages."""

from __future__ import annotations

from collections.abc import Callable

from csp.constants import HEADER, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.utils import build_policy
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


class ContentPolicyMiddleware:
    """Strict everywhere, relaxed under /admin/ alone. Both are written out once, not each time."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.strict, self.relaxed = build_policy(), build_policy(update=ADMIN_DIRECTIVES)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        # Django's own pages about an error, shown in debug alone, have their style within them.
        if not (settings.DEBUG and response.status_code in {404, 500}):
            is_admin = request.path.startswith("/admin/")
            response[HEADER] = self.relaxed if is_admin else self.strict
        return response


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
