from __future__ import annotations

from django.urls import path

from predictions.label_studio import both_spellings
from training import api
from training.label_studio import TrainingWebhookView

app_name = "training_api"
urlpatterns = [
    path("promotions/", api.PromotionsView.as_view(), name="promotions"),
    path("versions/", api.VersionsView.as_view(), name="versions"),
    path("versions/live/", api.LiveView.as_view(), name="live"),
    path("versions/rollback/", api.RollbackView.as_view(), name="rollback"),
    path("versions/<str:name>/", api.OneVersionView.as_view(), name="version"),
    path("versions/<str:name>/promote/", api.PromoteView.as_view(), name="promote"),
    *both_spellings("label-studio/webhook", TrainingWebhookView.as_view(), "ls_webhook"),
]
