"""The System page, in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from predictions.access.permissions import page_for
from predictions.operation import doctor
from training.operation.system import sections


@page_for("training.view_system")
@require_safe
def system(request: HttpRequest) -> HttpResponse:
    """Versions, workers, queue, disk, backups, settings, and what the doctor finds."""
    context = {
        **admin.site.each_context(request),
        "title": "System",
        "findings": doctor.examine(deep=False),
        "sections": sections(),
    }
    return render(request, "admin/system.html", context)
