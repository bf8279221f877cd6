from __future__ import annotations

from django.urls import path

from labeling.pages import answers, grid, imports, label, notes, prediction, review, withdrawals

app_name = "labeling"
urlpatterns = [
    path("predictions/erase/", prediction.erase_page, name="erase"),
    path("predictions/<uuid:public_id>/", prediction.prediction, name="prediction"),
    path("label/", label.label, name="label"),
    path("label/answers/", answers.answers_page, name="answers"),
    path("label/grid/", grid.grid, name="grid"),
    path("label/guidelines/", notes.guidelines_page, name="guidelines"),
    path("label/import/", imports.import_page, name="import"),
    path("label/import/sample.zip", imports.sample_file, name="import_sample"),
    path("review/", review.review, name="review"),
    path("review/agreement/", review.agreement_page, name="agreement"),
    path("review/labelers/<str:username>/", review.labeler_page, name="labeler"),
    path("review/notes/", notes.notes_page, name="notes"),
    path("review/withdrawals/", withdrawals.withdrawals, name="withdrawals"),
]
