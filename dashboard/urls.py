from __future__ import annotations

from django.urls import path, re_path

from dashboard import data, pages

app_name = "dashboard"
urlpatterns = [
    path("dashboard/", pages.everybody, name="everybody"),
    path("dashboard/technical/", pages.technical, name="technical"),
    path("dashboard/drawings/", pages.drawings, name="drawings"),
    re_path(
        r"^dashboard/data/(?P<name>[a-z0-9-]{1,60})\.(?P<form>json|csv)$", data.figure, name="data"
    ),
]
