from __future__ import annotations

from django.urls import path

from training.pages import drawings, runs

app_name = "training"
urlpatterns = [
    path("training/", runs.training, name="training"),
    path("training/start/", runs.start, name="start"),
    path("training/runs/", runs.runs_page, name="runs"),
    path("training/runs/<uuid:public_id>/", runs.run, name="run"),
    path("training/runs/<uuid:public_id>/cancel/", runs.cancel_run, name="cancel"),
    path("training/roll-back/", runs.roll_back, name="roll_back"),
    path("versions/", runs.versions_page, name="versions"),
    path("versions/<str:name>/", runs.version, name="version"),
    path("versions/<str:name>/drawings/", drawings.learned_drawings, name="drawings"),
    path("versions/<str:name>/promote/", runs.promote_page, name="promote"),
]
