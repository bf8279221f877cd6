"""Who may use an endpoint or a page. An endpoint that does not say it is closed to everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import permission_required
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request

Page = Callable[..., Any]


class Nobody(BasePermission):
    """The default: an endpoint that does not state who may use it."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return False


class Everybody(AllowAny):
    """Visitors without a login too."""


def page_for(permission: str) -> Callable[[Page], Page]:
    """Require a permission: visitors are redirected to the login, other accounts get a 403."""

    def guard(page: Page) -> Page:
        guarded = permission_required(permission, raise_exception=True)(page)
        guarded.permission_required = permission  # type: ignore[attr-defined]  # for the test that every page states who may use it
        return guarded

    return guard
