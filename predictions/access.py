"""Who may use an endpoint. Each one names its permission; one that forgets serves nobody."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request


class Nobody(BasePermission):
    """The default: an endpoint that does not state who may use it."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return False


class Everybody(AllowAny):
    """Visitors without a login too."""
