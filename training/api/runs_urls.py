from __future__ import annotations

from django.urls import path

from training.api import runs

app_name = "runs_api"
urlpatterns = [
    path("runs/", runs.RunsView.as_view(), name="runs"),
    path("runs/<uuid:public_id>/", runs.RunView.as_view(), name="run"),
    path("runs/<uuid:public_id>/cancel/", runs.RunCancelView.as_view(), name="cancel"),
]
