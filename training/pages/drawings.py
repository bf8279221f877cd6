"""The drawings that a version learned, each a link to its page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe
from rest_framework import serializers

from predictions.access.permissions import page_for
from predictions.api.endpoints import Query
from predictions.models import ModelVersion
from predictions.refusals import no_such_page
from training.models import SnapshotLabel
from training.snapshots.lineage import run_of

AT_ONCE = 60
SEE_LABELS = "labeling.view_label"  # a labeler who saw labels would not judge blind


class LearnedQuery(Query):
    before = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


@page_for(SEE_LABELS)
@require_safe
def learned_drawings(request: HttpRequest, name: str) -> HttpResponse:
    """The labels of a version's own run, the newest first; erased drawings cannot be shown."""
    query = LearnedQuery(data=request.GET)
    if "\0" in name or not query.is_valid():  # PostgreSQL refuses a zero character
        message = "That page of drawings does not exist. Start again from the newest."
        return no_such_page(request, message)
    version = get_object_or_404(ModelVersion.objects.defer("card", "canary"), name=name)
    run, before = run_of(version), query.validated_data.get("before")
    labels = SnapshotLabel.objects.filter(
        snapshot=run.snapshot_id if run else None, event__prediction__erased_at__isnull=True
    )
    rows = labels.select_related("event__prediction").defer(
        "event__prediction__glyph", "event__prediction__probabilities"
    )
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: AT_ONCE + 1])
    context = {
        "version": version,
        "run": run,
        "count": labels.count() if run else 0,
        "rows": found[:AT_ONCE],
        "older": found[AT_ONCE - 1].pk if len(found) > AT_ONCE else None,
        "is_first": before is None,
    }
    return render(request, "training/drawings.html", context)
