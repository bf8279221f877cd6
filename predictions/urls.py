from __future__ import annotations

from django.urls import path

from predictions.pages import docs, draw, pictures, tokens

app_name = "predictions"
urlpatterns = [
    path("", draw.draw, name="draw"),
    path("predictions/", draw.history, name="history"),
    path("accounts/tokens/", tokens.tokens, name="tokens"),
    path("accounts/tokens/<slug:prefix>/revoke/", tokens.revoke_page, name="revoke_token"),
    path("docs/", docs.index, name="docs"),
    path("docs/<path:doc>/", docs.page, name="docs"),
    path("glyphs/<uuid:public_id>.png", pictures.glyph, name="glyph"),
    path("drawings/<uuid:public_id>.png", pictures.drawing, name="drawing"),
]
