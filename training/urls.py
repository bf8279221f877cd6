from __future__ import annotations

from django.urls import path

from predictions.serving.registry import FILES
from training.pages import drawings, runs, versions

app_name = "training"
urlpatterns = [
    path("training/", runs.training, name="training"),
    path("training/start/", runs.start, name="start"),
    path("training/runs/", runs.runs_page, name="runs"),
    path("training/runs/<uuid:public_id>/", runs.run, name="run"),
    path("training/runs/<uuid:public_id>/cancel/", runs.cancel_run, name="cancel"),
    path("training/roll-back/", versions.roll_back, name="roll_back"),
    path("versions/", versions.versions_page, name="versions"),
    path("versions/compare/", versions.compare, name="compare"),
    path("versions/<str:name>/", versions.version, name="version"),
    path("versions/<str:name>/drawings/", drawings.learned_drawings, name="drawings"),
    path("versions/<str:name>/promote/", versions.promote_page, name="promote"),
    path("versions/<str:name>/note/", versions.annotate_page, name="annotate"),
    *(
        path(f"versions/<str:name>/{file}", versions.weights_file, {"kind": kind}, name=file)
        for kind, file in FILES.items()
    ),
]
