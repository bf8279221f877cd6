"""Who calls the API: the bearer of a token, or a browser that is logged in."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from predictions.tokens import holder_of, note_use


class CsrfFailed(PermissionDenied):
    """A session alone changes nothing: the page's own token must come with it."""

    default_code = "csrf"


class BearerAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer ink_…`. A bad token is refused, whatever else came along."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        found = holder_of(secret.strip())
        if found is None:
            raise AuthenticationFailed("The token is unknown, expired or revoked.")
        note_use(found[1], request)
        return found

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Inkloop"'


class SessionAuthentication(authentication.SessionAuthentication):
    """The login of the pages, with the page's CSRF token on everything that changes anything."""

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except PermissionDenied as refused:
            raise CsrfFailed(str(refused.detail)) from refused


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = BearerAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A token made on the page *API tokens* or by `manage.py create_token`.",
        }


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = SessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "The login of the pages; changes also need the header X-CSRFToken.",
        }
