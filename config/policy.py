"""Headers for browsers: content security, permissions and caching; and the messages cookie."""

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

# The admin only: django-unfold uses Alpine, which evaluates attributes.
ADMIN_DIRECTIVES = {
    "script-src": [SELF, UNSAFE_INLINE, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
}


class ContentPolicyMiddleware:
    """A strict policy, and a relaxed one under /admin/. Both are built once."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.strict, self.relaxed = build_policy(), build_policy(update=ADMIN_DIRECTIVES)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        # Django's debug pages have inline styles.
        if not (settings.DEBUG and response.status_code in {404, 500}):
            is_admin = request.path.startswith("/admin/")
            response[HEADER] = self.relaxed if is_admin else self.strict
        return response


class PermissionsPolicyMiddleware:
    """Turns off sensors, which no page needs. Photos are taken through the file picker."""

    POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["Permissions-Policy"] = self.POLICY
        return response


class CachePolicyMiddleware:
    """Forbids caching of responses without a Cache-Control: most show the user's name."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if "Cache-Control" not in response:
            add_never_cache_headers(response)
        return response


class MessagesCookie(CookieStorage):
    """Messages in a cookie with the same name prefix as our other cookies."""

    cookie_name = settings.MESSAGES_COOKIE_NAME


class Messages(FallbackStorage):
    """Messages in the cookie, or in the session if they are too long for it."""

    storage_classes = (MessagesCookie, SessionStorage)
