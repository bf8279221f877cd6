from __future__ import annotations

from django.urls import path

from labeling import api

app_name = "labeling_api"
urlpatterns = [
    path("labels/", api.LabelsView.as_view(), name="labels"),
    path("labels/next/", api.NextView.as_view(), name="next"),
    path("labels/undo/", api.UndoView.as_view(), name="undo"),
    path("labels/skip/", api.SkipView.as_view(), name="skip"),
    path("labels/keep/", api.KeepView.as_view(), name="keep"),
    path("labels/release/", api.ReleaseView.as_view(), name="release"),
    path("labels/progress/", api.ProgressView.as_view(), name="progress"),
    path("labels/settle/", api.SettleView.as_view(), name="settle"),
    path(
        "predictions/<uuid:public_id>/feedback/",
        api.TrustedFeedbackView.as_view(),
        name="feedback",
    ),
]
