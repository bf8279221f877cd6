"""The admin's page to import a file of images; messages above its batch show the result."""

from __future__ import annotations

import functools
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from labeling.admin.bulk import CORRECT
from labeling.files.imports import UPLOAD_MOST, ImportReport, take_in_upload
from predictions.access.limits import charge_pixels
from predictions.errors import Declined

SHOWN = 20  # refusals spelled out


class ImportForm(forms.Form):
    file = forms.FileField(
        label="File",
        widget=forms.FileInput(
            attrs={
                "class": "border border-base-200 dark:border-base-700 max-w-full px-3 py-2 "
                "rounded-default w-full"
            }
        ),
    )
    dry_run = forms.BooleanField(label="Only say what would be done", required=False)


def page(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """Show the form; after an upload, go to its batch and list what was refused."""
    if not request.user.has_perm(CORRECT):
        raise PermissionDenied
    form = ImportForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        return HttpResponseRedirect(import_upload(request, form))
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": "Import images",
        "form": form,
        "most": UPLOAD_MOST,
    }
    return TemplateResponse(request, "admin/labeling/import.html", context)


def import_upload(request: HttpRequest, form: ImportForm) -> str:
    """Import the file; return the URL of the page that shows the result."""
    assert isinstance(request.user, User)
    file = form.cleaned_data["file"]
    try:
        report = take_in_upload(
            file.name,
            file.file,
            by=request.user,
            charge=functools.partial(charge_pixels, request),
            dry_run=form.cleaned_data["dry_run"],
        )
    except Declined as declined:
        messages.warning(request, str(declined))
        return request.path
    tell_result(request, report, is_trial=form.cleaned_data["dry_run"])
    if report.batch is None:
        return request.path
    return f"{reverse('admin:labeling_batch_changelist')}?id__exact={report.batch.pk}"


def tell_result(request: HttpRequest, report: ImportReport, *, is_trial: bool) -> None:
    said = f"Nothing was changed. It would be: {report}" if is_trial else str(report)
    messages.success(request, said)
    for refused in report.refusals[:SHOWN]:
        messages.warning(request, f"{refused.name}: {refused.why}")
    if report.refused > SHOWN:
        messages.warning(request, f"And {report.refused - SHOWN:,} more.")
