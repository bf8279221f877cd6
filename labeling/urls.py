from __future__ import annotations

from django.urls import path

from labeling import pages

app_name = "labeling"
urlpatterns = [
    path("label/", pages.label, name="label"),
    # Found before the page of `predictions` at the same address: its form makes labels here.
    path("predictions/<uuid:public_id>/", pages.prediction, name="prediction"),
]
