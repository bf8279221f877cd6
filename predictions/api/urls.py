from __future__ import annotations

from django.urls import path

from predictions.api import drawings, label_studio
from predictions.api.label_studio import both_spellings

app_name = "predictions_api"
urlpatterns = [
    path("predictions/", drawings.PredictionsView.as_view(), name="predictions"),
    path("predictions/preview/", drawings.PreviewView.as_view(), name="preview"),
    path("predictions/batch/", drawings.BatchView.as_view(), name="batch"),
    *both_spellings("label-studio", label_studio.RootView.as_view(), "label_studio"),
    *both_spellings("label-studio/health", label_studio.HealthView.as_view(), "ls_health"),
    *both_spellings("label-studio/setup", label_studio.SetupView.as_view(), "ls_setup"),
    *both_spellings(
        "label-studio/versions", label_studio.LabelStudioVersionsView.as_view(), "ls_versions"
    ),
    *both_spellings("label-studio/predict", label_studio.PredictView.as_view(), "ls_predict"),
]
