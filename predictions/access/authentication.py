"""Who calls the API: the bearer of a token, or a browser that is logged in."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from predictions.access.tokens import holder_of, note_use


class CsrfFailed(PermissionDenied):
    """A change with a session also needs the CSRF token of the page."""

    default_code = "csrf"


class BearerAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer ink_…`. A bad token is refused even beside a valid session."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        return holder(secret.strip(), request)

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Inkloop"'


class PasswordAuthentication(authentication.BaseAuthentication):
    """HTTP Basic with a token as the password, for programs that cannot send a bearer token.

    The token identifies the account; the user name is ignored.
    """

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        scheme, _, told = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            _, colon, secret = base64.b64decode(told, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeError):
            colon = ""
        if not colon:
            raise AuthenticationFailed("The user name and password cannot be read.")
        return holder(secret, request)

    def authenticate_header(self, request: Request) -> str:
        return 'Basic realm="Inkloop"'


def holder(secret: str, request: Request) -> tuple[Any, Any]:
    found = holder_of(secret)
    if found is None:
        raise AuthenticationFailed("The token is unknown, expired or revoked.")
    note_use(found[1], request)
    return found


class SessionAuthentication(authentication.SessionAuthentication):
    """The login of the pages; every change needs the CSRF token of the page."""

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


class PasswordScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = PasswordAuthentication
    name = "tokenAsPassword"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "basic",
            "description": "Any user name, and a token for the password.",
        }


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = SessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "The login of the pages; changes also need the header X-CSRFToken.",
        }
