from __future__ import annotations

from django.urls import path

from dashboard import figures_api

app_name = "dashboard_api"
urlpatterns = [
    path("figures/", figures_api.FiguresView.as_view(), name="figures"),
    path("figures/<slug:name>/", figures_api.FigureView.as_view(), name="figure"),
]
