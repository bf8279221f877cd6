from __future__ import annotations

from django.urls import path, re_path

from dashboard import compare_page, data, month_page, pages, r_pages, replay_pages

app_name = "dashboard"
urlpatterns = [
    path("dashboard/", pages.everybody, name="everybody"),
    path("dashboard/technical/", pages.technical, name="technical"),
    path("dashboard/drawings/", pages.drawings, name="drawings"),
    path("dashboard/replay/", replay_pages.replay, name="replay"),
    path("dashboard/clusters/", replay_pages.clusters, name="clusters"),
    path("dashboard/clusters/drawings.json", replay_pages.cluster_drawings, name="map_drawings"),
    path("dashboard/compare/", compare_page.compare, name="compare"),
    re_path(
        r"^dashboard/compare/data\.(?P<form>json|csv)$", compare_page.data, name="compare_data"
    ),
    path("dashboard/months/", month_page.newest, name="months"),
    re_path(r"^dashboard/months/(?P<name>[0-9]{4}-[0-9]{2})/$", month_page.month, name="month"),
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
