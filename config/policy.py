"""What browsers may load and do on our pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware
from django.http import HttpRequest, HttpResponse

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
