from __future__ import annotations

from django.urls import path

from predictions.api.label_studio import both_spellings
from training.api import trials, versions
from training.api.label_studio import TrainingWebhookView

app_name = "training_api"
urlpatterns = [
    path("promotions/", versions.PromotionsView.as_view(), name="promotions"),
    path("versions/", versions.VersionsView.as_view(), name="versions"),
    path("versions/live/", versions.LiveView.as_view(), name="live"),
    path("versions/rollback/", versions.RollbackView.as_view(), name="rollback"),
    path("versions/<str:name>/", versions.OneVersionView.as_view(), name="version"),
    path("versions/<str:name>/promote/", versions.PromoteView.as_view(), name="promote"),
    path("versions/<str:name>/trial/", trials.TrialView.as_view(), name="trial"),
    path("versions/<str:name>/judge/", trials.JudgeView.as_view(), name="judge"),
    *both_spellings("label-studio/webhook", TrainingWebhookView.as_view(), "ls_webhook"),
]
