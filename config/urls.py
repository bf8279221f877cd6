from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from drf_spectacular.views import SpectacularSwaggerSplitView

from config.accounts import admin_urlpatterns
from predictions.api.schema import schema
from predictions.pages.pictures import healthz, metrics, readyz

api_docs = login_not_required(
    SpectacularSwaggerSplitView.as_view(template_name="predictions/api_docs.html")
)
handler400 = "predictions.refusals.bad_request"
handler403 = "predictions.refusals.permission_denied"
handler404 = "predictions.refusals.page_not_found"
handler500 = "predictions.refusals.server_error"

urlpatterns = [  # tried in this order; the API has the most requests
    path("api/v1/", include("predictions.api.urls")),
    path("api/v1/", include("labeling.api.urls")),
    path("api/v1/", include("training.api.runs_urls")),
    path("api/v1/", include("training.api.urls")),
    path("api/v1/", include("dashboard.api.urls")),
    path("api/schema/", schema, name="schema"),
    path("api/", api_docs, name="api_docs"),
    path("", include("predictions.urls")),
    path("", include("labeling.urls")),
    path("", include("training.urls")),
    path("", include("dashboard.urls")),
    path("accounts/", include("config.accounts")),
    path("admin/", include(admin_urlpatterns)),
    path("admin/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
