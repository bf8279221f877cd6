from __future__ import annotations

from django.urls import path

from dashboard.api import figures

app_name = "dashboard_api"
urlpatterns = [
    path("figures/", figures.FiguresView.as_view(), name="figures"),
    path("figures/<slug:name>/", figures.FigureView.as_view(), name="figure"),
]
