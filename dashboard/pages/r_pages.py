"""The page that requests R reports, shows their progress, and serves their pictures."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from dashboard.api.data import single
from dashboard.filters import Filters, UnknownFilter
from dashboard.models import RChart, RReport
from dashboard.pages.overview import context_of, no_such_view
from dashboard.reports import r_jobs, r_report
from predictions.access.permissions import page_for
from predictions.errors import Declined

may_draw = page_for("dashboard.draw_in_r")


@may_draw
@require_http_methods(["GET", "HEAD", "POST"])
def r_report_page(request: HttpRequest) -> HttpResponse:
    """The newest report and its progress; POST requests another."""
    if request.method == "POST":
        return ask_for_report(request)
    try:
        filters = Filters.parse(single(request))
    except UnknownFilter as unknown:
        return no_such_view(request, unknown)
    newest = RReport.objects.select_related("asked_by").first()
    charts = newest.charts.defer("content") if newest else RChart.objects.none()
    pictures = [chart for chart in charts if chart.kind == RChart.Kind.PNG]
    context = {
        **context_of(request, filters),
        "is_empty": False,  # whether R is here is told before anybody has drawn
        "report": newest,
        "at": r_jobs.chart_at(newest, len(pictures)) if newest else "",
        "of": len(r_report.chart_names()),
        "pictures": pictures,
        "has_pdf": any(chart.kind == RChart.Kind.PDF for chart in charts),
        "missing": missing_here(),
    }
    return render(request, "dashboard/r_report.html", context)


def ask_for_report(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    try:
        query = Filters.parse(request.GET.dict()).as_query()
        r_jobs.request_report(by=request.user, query=query)
    except UnknownFilter as unknown:
        return no_such_view(request, unknown)
    except Declined as declined:
        messages.warning(request, str(declined))
    return redirect("dashboard:r_report")


def missing_here() -> str:
    """Why this machine cannot draw, or empty; the worker's machine may be another one."""
    try:
        r_report.rscript()
    except r_report.NoR as missing:
        return str(missing)
    return ""


@may_draw
@require_GET
def chart(request: HttpRequest, report_id: int, name: str, kind: str) -> HttpResponse:
    """One picture of a report."""
    found = RChart.objects.filter(report=report_id, name=name, kind=kind).first()
    if found is None:
        raise Http404("There is no such picture.")
    response = HttpResponse(bytes(found.content), content_type=found.get_kind_display())
    disposition = "inline" if kind == RChart.Kind.PNG else "attachment"
    response["Content-Disposition"] = f'{disposition}; filename="{name}.{kind}"'
    response["Cache-Control"] = "private, max-age=86400"
    return response
