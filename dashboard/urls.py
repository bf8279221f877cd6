from __future__ import annotations

from django.urls import path, re_path

from dashboard import data, pages, r_pages

app_name = "dashboard"
urlpatterns = [
    path("dashboard/", pages.everybody, name="everybody"),
    path("dashboard/technical/", pages.technical, name="technical"),
    path("dashboard/drawings/", pages.drawings, name="drawings"),
    re_path(
        r"^dashboard/data/(?P<name>[a-z0-9-]{1,60})\.(?P<form>json|csv)$", data.figure, name="data"
    ),
    path("dashboard/r/", r_pages.report, name="r_report"),
    re_path(
        r"^dashboard/r/(?P<report_id>[0-9]{1,9})/(?P<name>[a-z0-9-]{1,60})\.(?P<kind>png|pdf)$",
        r_pages.chart,
        name="r_chart",
    ),
]
