from __future__ import annotations

from django.urls import path

from labeling import (
    api,
    export_api,
    grid_api,
    import_api,
    labels_api,
    review_api,
    withdrawal_api,
)

app_name = "labeling_api"
urlpatterns = [
    path("labels/", labels_api.LabelsView.as_view(), name="labels"),
    path("labels/many/", labels_api.ManyView.as_view(), name="many"),
    path("labels/queue/", labels_api.QueueView.as_view(), name="queue"),
    path("labels/suspicious/", labels_api.SuspiciousView.as_view(), name="suspicious"),
    path("labels/next/", api.NextView.as_view(), name="next"),
    path("labels/undo/", api.UndoView.as_view(), name="undo"),
    path("labels/skip/", api.SkipView.as_view(), name="skip"),
    path("labels/keep/", api.KeepView.as_view(), name="keep"),
    path("labels/release/", api.ReleaseView.as_view(), name="release"),
    path("labels/progress/", api.ProgressView.as_view(), name="progress"),
    path("labels/settle/", api.SettleView.as_view(), name="settle"),
    path("labels/disputes/", review_api.DisputesView.as_view(), name="disputes"),
    path("labels/agreement/", review_api.AgreementView.as_view(), name="agreement"),
    path("labels/export/", export_api.ExportView.as_view(), name="export"),
    path("labels/import/", import_api.ImportView.as_view(), name="import"),
    path("labels/withdraw/", withdrawal_api.WithdrawView.as_view(), name="withdraw"),
    path("labels/grid/", grid_api.GridView.as_view(), name="grid"),
    path("labels/grid/confirm/", grid_api.GridConfirmView.as_view(), name="grid_confirm"),
    path("labels/batches/", review_api.BatchesView.as_view(), name="batches"),
    path(
        "labels/batches/<uuid:batch_id>/undo/",
        review_api.BatchUndoView.as_view(),
        name="batch_undo",
    ),
    path("predictions/<uuid:public_id>/", api.BlindPredictionView.as_view(), name="prediction"),
    path(
        "predictions/<uuid:public_id>/feedback/",
        api.TrustedFeedbackView.as_view(),
        name="feedback",
    ),
]
