from __future__ import annotations

from django.urls import path, re_path

from dashboard.api import data
from dashboard.pages import compare, demo, month, overview, r_pages, replay

app_name = "dashboard"
urlpatterns = [
    path("dashboard/", overview.everybody, name="everybody"),
    path("dashboard/technical/", overview.technical, name="technical"),
    path("dashboard/drawings/", overview.drawings_of_cell, name="drawings"),
    path("dashboard/replay/", replay.replay_page, name="replay"),
    path("dashboard/clusters/", replay.map_page, name="clusters"),
    path("dashboard/clusters/drawings.json", replay.cluster_drawings, name="map_drawings"),
    path("dashboard/clusters/review/", replay.review_selection, name="map_review"),
    path("dashboard/compare/", compare.compare_page, name="compare"),
    re_path(r"^dashboard/compare/data\.(?P<form>json|csv)$", compare.data, name="compare_data"),
    path("dashboard/months/", month.newest, name="months"),
    re_path(r"^dashboard/months/(?P<name>[0-9]{4}-[0-9]{2})/$", month.month, name="month"),
    re_path(
        r"^dashboard/data/(?P<name>[a-z0-9-]{1,60})\.(?P<form>json|csv)$",
        data.figure_file,
        name="data",
    ),
    path("dashboard/demo/", demo.ask_for_demo, name="make_demo"),
    path("dashboard/r/", r_pages.r_report_page, name="r_report"),
    re_path(
        r"^dashboard/r/(?P<report_id>[0-9]{1,9})/(?P<name>[a-z0-9-]{1,60})\.(?P<kind>png|pdf)$",
        r_pages.chart,
        name="r_chart",
    ),
]
