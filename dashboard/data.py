"""The figures as JSON and CSV, for pages and programs; for everybody, since no drawing shows."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.http import parse_etags
from django.views.decorators.http import require_safe

from dashboard import figures
from dashboard.filters import Filters, UnknownFilter
from predictions.refusals import error_body


@login_not_required
@require_safe
def figure(request: HttpRequest, name: str, form: str) -> HttpResponse:
    """One figure; 304 while nothing it rests on has changed."""
    if name not in figures.FIGURES:
        raise Http404
    try:
        filters = Filters.parse(single(request))
        counted = figures.as_of(name, filters)
    except UnknownFilter as unknown:
        said = error_body(unknown.code, str(unknown), {unknown.name: [str(unknown)]})
        return JsonResponse(said, status=400)
    etag = figures.etag(name, filters, form, counted)
    headers = {"ETag": etag, "Cache-Control": "no-cache"}  # kept, but asked about each time
    if is_known(request, etag):
        return HttpResponse(status=304, headers=headers)
    made = figures.make(name, filters, counted)
    if form == "csv":
        headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
        return HttpResponse(made.as_csv(), content_type="text/csv; charset=utf-8", headers=headers)
    return JsonResponse(made.as_json(), headers=headers)


def single(request: HttpRequest) -> dict[str, str]:
    """The query; a filter given twice would leave open which is meant."""
    for name, said in request.GET.lists():
        if len(said) > 1:
            raise UnknownFilter(name, f"{name} is given more than once.")
    return request.GET.dict()


def is_known(request: HttpRequest, etag: str) -> bool:
    known = parse_etags(request.headers.get("If-None-Match", ""))
    return etag in [each.removeprefix("W/") for each in known] or "*" in known
