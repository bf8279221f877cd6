from __future__ import annotations

from django.urls import path

from labeling import answer_pages, grid_pages, pages, review_pages, withdrawal_pages

app_name = "labeling"
urlpatterns = [
    path("label/", pages.label, name="label"),
    path("predictions/erase/", pages.erase, name="erase"),
    path("label/answers/", answer_pages.answers, name="answers"),
    path("label/grid/", grid_pages.grid, name="grid"),
    path("review/", review_pages.review, name="review"),
    path("review/agreement/", review_pages.agreement, name="agreement"),
    path("review/withdrawals/", withdrawal_pages.withdrawals, name="withdrawals"),
    # Found before the page of `predictions` at the same address: its form makes labels here.
    path("predictions/<uuid:public_id>/", pages.prediction, name="prediction"),
]
