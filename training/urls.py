from __future__ import annotations

from django.urls import path

from training import pages

app_name = "training"
urlpatterns = [
    path("training/", pages.training, name="training"),
    path("training/start/", pages.start, name="start"),
    path("training/runs/", pages.runs, name="runs"),
    path("training/runs/<uuid:public_id>/", pages.run, name="run"),
    path("training/runs/<uuid:public_id>/cancel/", pages.cancel, name="cancel"),
    path("training/roll-back/", pages.roll_back, name="roll_back"),
    path("versions/", pages.versions, name="versions"),
    path("versions/<str:name>/", pages.version, name="version"),
    path("versions/<str:name>/promote/", pages.promote, name="promote"),
]
