"""A month's report, which prints to one sheet."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from dashboard.figures.accuracy import months_with_enough
from dashboard.filters import Filters, UnknownFilter, read_month
from dashboard.pages.overview import context_of
from dashboard.reports.report import monthly_report, months_with_drawings


@login_not_required
@require_safe
def newest(request: HttpRequest) -> HttpResponse:
    """Redirect to the newest month with enough labels, or if there is none, with drawings."""
    known = months_with_enough(Filters()) or months_with_drawings()
    if not known:
        return render(request, "dashboard/month.html", context_of(request, Filters()))
    return redirect("dashboard:month", name=f"{known[-1]:%Y-%m}")


@login_not_required
@gzip_page
@require_safe
def month(request: HttpRequest, name: str) -> HttpResponse:
    """The report of one month."""
    try:
        asked = read_month("month", name)
    except UnknownFilter as unknown:
        raise Http404 from unknown
    known = months_with_drawings()
    if asked not in known:
        raise Http404
    at = known.index(asked)
    context = {
        **context_of(request, Filters()),
        "report": monthly_report(asked),
        "earlier": known[at - 1] if at else None,
        "later": known[at + 1] if at + 1 < len(known) else None,
    }
    return render(request, "dashboard/month.html", context)
