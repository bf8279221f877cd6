from __future__ import annotations

from django.urls import path

from predictions import views

app_name = "predictions"
urlpatterns = [
    path("", views.draw, name="draw"),
    path("predictions/", views.history, name="history"),
    path("predictions/<uuid:public_id>/", views.prediction, name="prediction"),
    path("glyphs/<uuid:public_id>.png", views.glyph, name="glyph"),
    path("drawings/<uuid:public_id>.png", views.drawing, name="drawing"),
]
