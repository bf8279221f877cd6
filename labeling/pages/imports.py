"""The page to import a file of images; a sample file shows the simplest format."""

from __future__ import annotations

import functools
import io
import zipfile

import numpy as np
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from labeling.batches.batches import undo_batch
from labeling.files.imports import UPLOAD_MOST, ImportReport, take_in_upload
from labeling.models import Batch
from predictions.access.limits import charge_pixels
from predictions.access.permissions import page_for, signed_in
from predictions.errors import Declined
from predictions.glyphs.glyph import encode_glyph
from predictions.models import ModelVersion
from predictions.serving.network import glyph_from_base64

SHOWN = 20  # refusals spelled out, and earlier imports
may_import = page_for("labeling.correct_in_bulk")


class ImportForm(forms.Form):
    file = forms.FileField(label="File")
    dry_run = forms.BooleanField(label="Dry run: only say what would be imported", required=False)


class UndoForm(forms.Form):
    batch = forms.ModelChoiceField(Batch.objects.filter(kind=Batch.Kind.IMPORT))


@may_import
@require_http_methods(["GET", "HEAD", "POST"])
def import_page(request: HttpRequest) -> HttpResponse:
    """Import a file, or undo an earlier import; messages say what was done and what refused."""
    form = ImportForm(request.POST or None, request.FILES or None)
    undoing = UndoForm(request.POST or None)
    try:
        if undoing.is_valid():
            count = undo_batch(undoing.cleaned_data["batch"], by=signed_in(request))
            messages.success(request, f"Undone: {count:,} labels are as they were.")
            return redirect("labeling:import")
        if form.is_valid():
            import_upload(request, form)
            return redirect("labeling:import")
    except Declined as declined:
        messages.warning(request, str(declined))
        return redirect("labeling:import")
    context = {
        "form": form,
        "most": UPLOAD_MOST,
        "imports": Batch.objects.filter(kind=Batch.Kind.IMPORT).select_related("made_by")[:SHOWN],
    }
    return render(request, "labeling/import.html", context)


def import_upload(request: HttpRequest, form: ImportForm) -> None:
    file, is_trial = form.cleaned_data["file"], form.cleaned_data["dry_run"]
    report = take_in_upload(
        file.name,
        file.file,
        by=signed_in(request),
        charge=functools.partial(charge_pixels, request),
        dry_run=is_trial,
    )
    tell_result(request, report, is_trial=is_trial)


def tell_result(request: HttpRequest, report: ImportReport, *, is_trial: bool) -> None:
    said = f"Nothing was changed. It would be: {report}" if is_trial else str(report)
    messages.success(request, said)
    for refused in report.refusals[:SHOWN]:
        messages.warning(request, f"{refused.name}: {refused.why}")
    if report.refused > SHOWN:
        messages.warning(request, f"And {report.refused - SHOWN:,} more.")


@may_import
@require_safe
def sample_file(request: HttpRequest) -> HttpResponse:
    """A zip with one image in a folder of its digit, from the digits a version is checked with."""
    canary = ModelVersion.objects.order_by("pk").values_list("canary", flat=True).first() or {}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        pairs = zip(canary.get("glyphs", []), canary.get("probabilities", []), strict=True)
        for at, (glyph, shares) in enumerate(pairs):
            name = f"{int(np.argmax(shares))}/example-{at + 1}.png"
            archive.writestr(name, encode_glyph(glyph_from_base64(glyph)))
    headers = {"Content-Disposition": 'attachment; filename="inkloop-sample.zip"'}
    return HttpResponse(file.getvalue(), content_type="application/zip", headers=headers)
