from __future__ import annotations

from django.urls import path

from labeling.api import export, feedback, grid, imports, labels, notes, queue, review, withdrawal

app_name = "labeling_api"
urlpatterns = [
    path("labels/", labels.LabelsView.as_view(), name="labels"),
    path("labels/many/", labels.ManyView.as_view(), name="many"),
    path("labels/queue/", labels.QueueView.as_view(), name="queue"),
    path("labels/suspicious/", labels.SuspiciousView.as_view(), name="suspicious"),
    path("labels/notes/", notes.NotesView.as_view(), name="notes"),
    path("labels/next/", queue.NextView.as_view(), name="next"),
    path("labels/undo/", queue.UndoView.as_view(), name="undo"),
    path("labels/skip/", queue.SkipView.as_view(), name="skip"),
    path("labels/keep/", queue.KeepView.as_view(), name="keep"),
    path("labels/release/", queue.ReleaseView.as_view(), name="release"),
    path("labels/progress/", queue.ProgressView.as_view(), name="progress"),
    path("labels/settle/", queue.SettleView.as_view(), name="settle"),
    path("labels/disputes/", review.DisputesView.as_view(), name="disputes"),
    path("labels/agreement/", review.AgreementView.as_view(), name="agreement"),
    path("labels/export/", export.ExportView.as_view(), name="export"),
    path("labels/import/", imports.ImportView.as_view(), name="import"),
    path("labels/withdraw/", withdrawal.WithdrawView.as_view(), name="withdraw"),
    path("labels/grid/", grid.GridView.as_view(), name="grid"),
    path("labels/grid/confirm/", grid.GridConfirmView.as_view(), name="grid_confirm"),
    path("labels/batches/", review.BatchesView.as_view(), name="batches"),
    path(
        "labels/batches/<uuid:batch_id>/undo/",
        review.BatchUndoView.as_view(),
        name="batch_undo",
    ),
    path("predictions/<uuid:public_id>/", feedback.PredictionView.as_view(), name="prediction"),
    path(
        "predictions/<uuid:public_id>/feedback/",
        feedback.FeedbackView.as_view(),
        name="feedback",
    ),
]
