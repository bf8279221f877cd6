"""Pictures, health and metrics."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_not_required
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from predictions import metrics as told
from predictions.models import Drawing, Prediction
from predictions.operation import health

# Private, because a picture in a shared cache could not be erased.
FOR_EVER = "private, max-age=31536000, immutable"


@login_not_required
@require_safe
def glyph(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The image the network saw; it never changes."""
    found = Prediction.objects.filter(public_id=public_id).values_list("glyph", flat=True)
    return picture(found.first())


@login_not_required
@require_safe
def drawing(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """A small version of what the person made."""
    found = Drawing.objects.filter(prediction__public_id=public_id).values_list("png", flat=True)
    return picture(found.first())


def picture(png: bytes | memoryview | None) -> HttpResponse:
    if not png:  # there never was one, or it was erased
        raise Http404
    return HttpResponse(bytes(png), content_type="image/png", headers={"Cache-Control": FOR_EVER})


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """This process is alive; nothing else is checked."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Whether this process can serve: 503 if not; a degraded one still serves."""
    try:
        parts = health.readiness_parts()
    except OperationalError:
        parts = {"database": health.ReadinessPart("failed", "The database does not answer.")}
    state = health.readiness_state(parts)
    body = {
        "state": state,
        "parts": {
            name: {"state": part.state, "message": part.message} for name, part in parts.items()
        },
    }
    return JsonResponse(body, status=503 if state == "failed" else 200)


@login_not_required
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For Prometheus; other callers get a 404."""
    if not told.may_look(request):
        raise Http404
    return HttpResponse(told.exposition(), content_type=told.CONTENT_TYPE)
