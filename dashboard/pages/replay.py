"""The pages of the replay and of the map of digits."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_POST, require_safe

from dashboard.api.data import single
from dashboard.axes import DIGITS
from dashboard.figures.clusters import map_points
from dashboard.filters import Filters, UnknownFilter
from dashboard.models import Replay
from dashboard.pages.overview import SEE_DRAWINGS, figures_page, no_such_view
from labeling.batches.review import send_to_review
from labeling.batches.selections import as_shown
from predictions.access.permissions import page_for, signed_in
from predictions.errors import Declined
from predictions.models import Prediction
from predictions.refusals import error_body, problem

MAY_REVIEW = "labeling.review_items"
MOST_SELECTED = 2_000  # a map has half as many


@login_not_required
@gzip_page
@require_safe
def replay_page(request: HttpRequest) -> HttpResponse:
    """The replay and the learning curve: did the model get better, or the drawings easier?"""
    state = Replay.objects.filter(pk=1).first()
    names = ("replay", "learning-curve")
    return figures_page(request, "dashboard/replay.html", names, state=state)


@login_not_required
@gzip_page
@require_safe
def map_page(request: HttpRequest) -> HttpResponse:
    """The map of digits."""
    may_review = request.user.has_perm(MAY_REVIEW)
    more = {"digits": range(DIGITS), "may_review": may_review}
    return figures_page(request, "dashboard/clusters.html", ("clusters",), **more)


@page_for(SEE_DRAWINGS)
@require_safe
def cluster_drawings(request: HttpRequest) -> JsonResponse:
    """The drawing of each point of the map, in the order of the figure's rows."""
    try:
        filters = Filters.parse(single(request))
    except UnknownFilter as unknown:
        said = error_body(unknown.code, str(unknown), {unknown.name: [str(unknown)]})
        return JsonResponse(said, status=400)
    found = map_points(filters).values_list("map", "prediction__public_id")
    drawings = [Prediction(public_id=public_id) for _, public_id in found]
    return JsonResponse(
        {
            "map": found[0][0] if drawings else None,
            "drawings": [
                [each.get_absolute_url(), each.glyph_url, str(each.public_id)] for each in drawings
            ],
        }
    )


@page_for(MAY_REVIEW)
@require_POST
def review_selection(request: HttpRequest) -> HttpResponse:
    """Send drawings that were selected on the map to review."""
    try:
        query = Filters.parse(single(request)).as_query()
        chosen = [UUID(text) for text in request.POST.get("drawings", "").split()[:MOST_SELECTED]]
        shown = as_shown(Prediction.objects.filter(public_id__in=chosen))
        done = send_to_review(shown, by=signed_in(request), chosen_by={"on": "the map of digits"})
        messages.success(request, f"Sent to review: {done}")
    except UnknownFilter as unknown:
        return no_such_view(request, unknown)
    except ValueError:
        return problem(request, "invalid", "There is no such drawing.", status=400)
    except Declined as declined:
        messages.warning(request, str(declined))
    return redirect(f"{reverse('dashboard:clusters')}?{query}".removesuffix("?"))
