"""The admin starts from tasks: on its first page and in its sidebar, by the user's permissions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse


@dataclass(frozen=True, slots=True)
class AdminTask:
    title: str
    says: str
    icon: str
    url_name: str
    permission: str
    query: str = ""

    @property
    def link(self) -> str:
        return reverse(self.url_name) + self.query


LIST = "admin:predictions_prediction_changelist"
TASKS = [
    AdminTask(
        "Correct labels",
        "Filter the drawings, tick some or all that match, and say what they are.",
        "edit", LIST, "labeling.correct_in_bulk", "?label=disagrees",
    ),
    AdminTask(
        "Accept feedback",
        "Drawings without a label that somebody said are read wrong.",
        "thumbs_up_down", LIST, "labeling.correct_in_bulk", "?feedback=wrong&label=none",
    ),
    AdminTask(
        "Import images",
        "A zip, IDX files, npz or CSV: try it first, and undo it as one batch.",
        "upload", "labeling:import", "labeling.correct_in_bulk",
    ),
    AdminTask(
        "Undo a batch",
        "Corrections, imports and grids, newest first.",
        "undo", "admin:labeling_batch_changelist", "labeling.correct_in_bulk",
    ),
    AdminTask(
        "Settle disputes",
        "Drawings that labelers read differently.",
        "balance", "labeling:review", "labeling.review_items",
    ),
    AdminTask(
        "Accounts and roles",
        "Who may label, review, train, look and administer.",
        "group", "admin:auth_user_changelist", "auth.view_user",
    ),
    AdminTask(
        "Guidelines for labelers",
        "What everybody sees beside the item they label.",
        "menu_book", "labeling:guidelines", "labeling.correct_in_bulk",
    ),
]  # fmt: skip


def tasks_for(request: HttpRequest) -> list[AdminTask]:
    return [task for task in TASKS if request.user.has_perm(task.permission)]


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The context of the admin's first page."""
    return {**context, "tasks": tasks_for(request)}


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The way back to the site, the tasks, and every list that the user may see."""
    from django.contrib import admin

    tasks = [
        {"title": task.title, "icon": task.icon, "link": task.link, "active": False}
        for task in tasks_for(request)
    ]
    back = {
        "title": "Back to the site",
        "icon": "arrow_back",
        "link": reverse("predictions:draw"),
        "active": False,  # its address is part of every other
    }
    lists = [
        {
            "title": app["name"],
            "collapsible": True,
            "items": [
                {"title": model["name"], "link": model["admin_url"]}
                for model in app["models"]
                if model["admin_url"]
            ],
        }
        for app in admin.site.get_app_list(request)
    ]
    return [{"items": [back]}, {"title": "Tasks", "items": tasks}, *lists]
