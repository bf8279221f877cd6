"""The links of every page's header, by the user's permissions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import Resolver404, resolve, reverse
from django.utils.functional import SimpleLazyObject

from dashboard.demo import presence
from predictions.serving.recognizer import NoModel, recognizer


@dataclass(frozen=True, slots=True)
class Entry:
    title: str
    url: str
    here: str = ""  # as aria-current says it: "page", or "true" on a page within


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
        "came_from": SimpleLazyObject(lambda: came_from(request)),
    }


# Pages that lead to a drawing or to several, and what is written on the way back.
ORIGINS = {
    "predictions:history": "History",
    "labeling:answers": "My answers",
    "labeling:labeler": "Answers of {username}",
    "labeling:notes": "Notes",
    "labeling:review": "Disputes",
    "dashboard:everybody": "Dashboard",
    "dashboard:technical": "Technical",
    "dashboard:replay": "Replay",
    "dashboard:compare": "Compare",
    "dashboard:clusters": "Clusters",
    "dashboard:drawings": "Drawings",
    "dashboard:month": "Month {name}",
    "training:version": "Version {name}",
    "training:drawings": "Drawings of {name}",
    "admin:predictions_prediction_changelist": "Predictions",
    "admin:predictions_prediction_change": "Prediction {object_id}",
}


def came_from(request: HttpRequest) -> Entry:
    """The page of this site that led here; where none is known, one that could have.

    A form of the page hands on the address in `back`, since after it the page leads to itself.
    """
    back = request.GET.get("back", "")
    there = urlsplit(back or request.headers.get("Referer", ""))
    if there.netloc == ("" if back else request.get_host()):
        try:
            match = resolve(there.path)
        except Resolver404:
            match = None
        if match is not None and (title := ORIGINS.get(match.view_name)):
            url = there.path + (f"?{there.query}" if there.query else "")
            return Entry(title.format(**match.kwargs), url)
    if request.resolver_match and request.resolver_match.view_name == "dashboard:drawings":
        return Entry("Dashboard", reverse("dashboard:everybody"))
    return Entry("History", reverse("predictions:history"))


def entries_for(request: HttpRequest) -> list[Entry]:
    """The header's entries that the user may open."""
    user = getattr(request, "user", None)
    found = [
        (title, reverse(name))
        for title, name, permission in ENTRIES
        if permission is None or (user is not None and user.has_perm(permission))
    ]
    path = request.path
    around = [url for _, url in found if path == url or (url != "/" and path.startswith(url))]
    nearest = max(around, key=len, default=None)
    here = "page" if path == nearest else "true"
    return [Entry(title, url, here if url == nearest else "") for title, url in found]


def answering() -> str:
    """The name of the model version that this process serves, or empty."""
    try:
        return recognizer.serving().version.name
    except NoModel:
        return ""


def admin_stylesheet(request: HttpRequest) -> str:
    return static("css/admin.css")


def admin_script(request: HttpRequest) -> str:
    return static("js/admin.js")


def admin_icon(request: HttpRequest) -> str:
    return static("img/mark.svg")
