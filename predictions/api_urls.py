from __future__ import annotations

from django.urls import path

from predictions import api

app_name = "predictions_api"
urlpatterns = [
    path("predictions/", api.PredictionsView.as_view(), name="predictions"),
    path("predictions/preview/", api.PreviewView.as_view(), name="preview"),
    path("predictions/batch/", api.BatchView.as_view(), name="batch"),
    path("predictions/<uuid:public_id>/", api.PredictionView.as_view(), name="prediction"),
]
