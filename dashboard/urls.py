from __future__ import annotations

from django.urls import re_path

from dashboard import data

app_name = "dashboard"
urlpatterns = [
    re_path(
        r"^dashboard/data/(?P<name>[a-z0-9-]{1,60})\.(?P<form>json|csv)$", data.figure, name="data"
    ),
]
