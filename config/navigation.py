"""The links of every page's header, by the user's permissions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from dashboard.demo import presence
from predictions.serving.recognizer import NoModel, recognizer


@dataclass(frozen=True, slots=True)
class Entry:
    title: str
    url: str
    is_here: bool


# (title, URL name, permission or None for everybody)
ENTRIES: list[tuple[str, str, str | None]] = [
    ("Draw", "predictions:draw", None),
    ("History", "predictions:history", None),
    ("Label", "labeling:label", "labeling.label_items"),
    ("Grid", "labeling:grid", "labeling.label_items"),
    ("Review", "labeling:review", "labeling.review_items"),
    ("Dashboard", "dashboard:everybody", None),
    ("Training", "training:training", "training.view_run"),
    ("Versions", "training:versions", "training.view_run"),
    ("System", "system", "training.view_system"),
]


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Context for the base template. It is lazy, so that error pages make no query."""
    return {
        "navigation": SimpleLazyObject(lambda: entries_for(request)),
        "answering": SimpleLazyObject(answering),
        "is_demo": SimpleLazyObject(presence.is_here),
    }


def entries_for(request: HttpRequest) -> list[Entry]:
    """The header's entries that the user may open."""
    user = getattr(request, "user", None)
    return [
        Entry(title, url := reverse(name), request.path == url)
        for title, name, permission in ENTRIES
        if permission is None or (user is not None and user.has_perm(permission))
    ]


def answering() -> str:
    """The name of the model version that this process serves, or empty."""
    try:
        return recognizer.serving().version.name
    except NoModel:
        return ""


def admin_stylesheet(request: HttpRequest) -> str:
    return static("css/admin.css")


def admin_icon(request: HttpRequest) -> str:
    return static("img/mark.svg")
