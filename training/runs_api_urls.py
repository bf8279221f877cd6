from __future__ import annotations

from django.urls import path

from training import runs_api

app_name = "runs_api"
urlpatterns = [
    path("runs/", runs_api.RunsView.as_view(), name="runs"),
    path("runs/<uuid:public_id>/", runs_api.RunView.as_view(), name="run"),
    path("runs/<uuid:public_id>/cancel/", runs_api.RunCancelView.as_view(), name="cancel"),
]
