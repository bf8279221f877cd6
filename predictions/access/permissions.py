"""Who may use an endpoint or a page. An endpoint that does not say it is closed to everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.http import HttpRequest
from rest_framework.permissions import SAFE_METHODS, AllowAny, BasePermission
from rest_framework.request import Request

Page = Callable[..., Any]


class Nobody(BasePermission):
    """The default: an endpoint that does not state who may use it."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return False


class Everybody(AllowAny):
    """Visitors without a login too."""


def needs(*any_of: str, message: str, to_change: str = "") -> type[BasePermission]:
    """Require one of these permissions; `to_change`, if set, for calls that change something."""

    class Needs(BasePermission):
        def has_permission(self, request: Request, view: Any) -> bool:
            changes = to_change and request.method not in SAFE_METHODS
            wanted = (to_change,) if changes else any_of
            return any(request.user.has_perm(permission) for permission in wanted)

    Needs.message = message  # type: ignore[attr-defined]
    return Needs


def page_for(permission: str) -> Callable[[Page], Page]:
    """Require a permission: visitors are redirected to the login, other accounts get a 403."""

    def guard(page: Page) -> Page:
        guarded = permission_required(permission, raise_exception=True)(page)
        guarded.permission_required = permission  # type: ignore[attr-defined]  # for the test that every page states who may use it
        return guarded

    return guard


def signed_in(request: HttpRequest) -> User:
    """The account of a request that a decorator or the middleware lets nobody else make."""
    assert isinstance(request.user, User)
    return request.user
