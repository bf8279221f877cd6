from __future__ import annotations

from django.urls import path

from predictions import pages, token_pages, views

app_name = "predictions"
urlpatterns = [
    path("", pages.draw, name="draw"),
    path("predictions/", pages.history, name="history"),
    path("predictions/<uuid:public_id>/", pages.prediction, name="prediction"),
    path("accounts/tokens/", token_pages.tokens, name="tokens"),
    path("accounts/tokens/<slug:prefix>/revoke/", token_pages.revoke, name="revoke_token"),
    path("glyphs/<uuid:public_id>.png", views.glyph, name="glyph"),
    path("drawings/<uuid:public_id>.png", views.drawing, name="drawing"),
]
