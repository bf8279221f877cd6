"""The pages of the replay and of the map of digits."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from dashboard.api.data import single
from dashboard.figures.clusters import map_points
from dashboard.filters import Filters, UnknownFilter
from dashboard.models import Replay
from dashboard.pages.overview import SEE_DRAWINGS, figures_page
from predictions.access.permissions import page_for
from predictions.models import Prediction
from predictions.refusals import error_body


@login_not_required
@require_safe
def replay_page(request: HttpRequest) -> HttpResponse:
    """The replay and the learning curve: did the model get better, or the drawings easier?"""
    state = Replay.objects.filter(pk=1).first()
    names = ("replay", "learning-curve")
    return figures_page(request, "dashboard/replay.html", names, state=state)


@login_not_required
@require_safe
def digit_map(request: HttpRequest) -> HttpResponse:
    """The map of digits."""
    return figures_page(request, "dashboard/clusters.html", ("clusters",))


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
            "drawings": [[each.get_absolute_url(), each.glyph_url] for each in drawings],
        }
    )
