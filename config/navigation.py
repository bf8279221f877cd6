"""What every page's header offers, by what the person may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse


@dataclass(frozen=True, slots=True)
class Entry:
    title: str
    url: str
    is_here: bool


# (title, URL name, permission or None for everybody)
ENTRIES: list[tuple[str, str, str | None]] = [
    ("Draw", "predictions:draw", None),
    ("History", "predictions:history", None),
]


def navigation(request: HttpRequest) -> dict[str, Any]:
    """The entries of the header this person may follow."""
    user = getattr(request, "user", None)
    entries = [
        Entry(title, url := reverse(name), request.path == url)
        for title, name, permission in ENTRIES
        if permission is None or (user is not None and user.has_perm(permission))
    ]
    return {"navigation": entries}


def admin_stylesheet(request: HttpRequest) -> str:
    return static("css/admin.css")
