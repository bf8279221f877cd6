"""The figures as JSON and CSV, for pages and programs. Public, because they show no drawing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.cache import get_conditional_response
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from dashboard.figures import catalog
from dashboard.figures.figure import Figure
from dashboard.filters import Filters, UnknownFilter, UnmetFilter
from predictions.refusals import error_body, status_of


@login_not_required
@gzip_page
@require_safe
def figure_file(request: HttpRequest, name: str, form: str) -> HttpResponseBase:
    if name not in catalog.FIGURES:
        raise Http404
    try:
        filters = Filters.parse(single(request))
        counted = catalog.data_state(name, filters)
    except UnknownFilter as unknown:
        return refused(unknown)
    etag = catalog.etag(name, filters.as_query(), form, counted)
    return answered(request, form, etag, lambda: catalog.make_figure(name, filters, counted))


def refused(unknown: UnknownFilter) -> HttpResponse:
    said = error_body(unknown.code, str(unknown), {unknown.name: [str(unknown)]})
    status = status_of(unknown) if isinstance(unknown, UnmetFilter) else 400
    return JsonResponse(said, status=status)


def answered(
    request: HttpRequest, form: str, etag: str, make: Callable[[], Figure]
) -> HttpResponseBase:
    """One figure, or 304 if its data has not changed."""
    headers = {"ETag": etag, "Cache-Control": "no-cache"}  # cached, but revalidated each time
    if unchanged := unchanged_since(request, headers):
        return unchanged
    made = make()
    if form == "csv":
        headers["Content-Disposition"] = f'attachment; filename="{made.name}.csv"'
        return HttpResponse(made.as_csv(), content_type="text/csv; charset=utf-8", headers=headers)
    return JsonResponse(made.as_json(), headers=headers)


def unchanged_since(request: HttpRequest, headers: Mapping[str, str]) -> HttpResponseBase | None:
    """The 304 response with these headers, if the client already has this ETag."""
    known = HttpResponse(headers=headers)
    found = get_conditional_response(request, etag=headers["ETag"], response=known)
    return None if found is known else found


def single(request: HttpRequest) -> dict[str, str]:
    """The query as a dictionary; raise UnknownFilter if a filter is given twice."""
    for name, said in request.GET.lists():
        if len(said) > 1:
            raise UnknownFilter(name, f"{name} is given more than once.")
    return request.GET.dict()
