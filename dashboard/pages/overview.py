"""The dashboard's pages. They work without scripts: text, tables and heat maps are HTML. Scripts
draw the charts from the same figures and keep them up to date."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from dashboard.api.data import single
from dashboard.cube.counting import watch
from dashboard.figures import catalog
from dashboard.figures.headline import tiles
from dashboard.figures.words import GAP
from dashboard.filters import Filters, UnknownFilter
from dashboard.pages.choices import selects
from dashboard.pages.drawings import WhichDrawings, cell_page, check_version
from labeling.queue.overview import audits_for_others
from predictions.access.permissions import page_for, signed_in
from predictions.capture.visitors import visitor_of
from predictions.refusals import no_such_page

SEE_DRAWINGS = "labeling.view_label"  # a labeler who saw labels would not judge blind
# (title, URL name, permission or None for everybody) of the dashboard's own navigation.
SECTIONS = [
    ("For everybody", "dashboard:everybody", None),
    ("Technical", "dashboard:technical", None),
    ("Compare", "dashboard:compare", None),
    ("Replay", "dashboard:replay", None),
    ("Clusters", "dashboard:clusters", None),
    ("Month", "dashboard:months", None),
    ("In R", "dashboard:r_report", "dashboard.draw_in_r"),
]
EVERYBODY = (
    "headline",
    "accuracy-by-month",
    "accuracy-by-month-and-digit",
    "accuracy-by-digit",
    "true-by-predicted",
    "corrections",
    "confidence-by-month",
    "confidence-histogram-by-month",
    "confidence-density-by-month",
)
TECHNICAL = (
    "accuracy-by-day",
    "reliability",
    "confidence-by-digit",
    "label-flow",
    "agreement-by-month",
    "accuracy-of-all-labeled",
)


@login_not_required
@gzip_page
@require_safe
def everybody(request: HttpRequest) -> HttpResponse:
    """The main figures, for readers without statistics."""
    return figures_page(request, "dashboard/everybody.html", EVERYBODY)


@login_not_required
@gzip_page
@require_safe
def technical(request: HttpRequest) -> HttpResponse:
    """More figures, for analysts."""
    return figures_page(request, "dashboard/technical.html", TECHNICAL)


def figures_page(
    request: HttpRequest, template: str, names: Iterable[str], **more: Any
) -> HttpResponse:
    """A page of figures with the filters of its URL; 400 with the name of a bad filter."""
    try:
        filters = Filters.parse(single(request))
        watch.count_if_due()
        made = catalog.make_figures(names, filters)
    except UnknownFilter as unknown:
        return no_such_view(request, unknown)
    if request.GET and request.GET.urlencode() != filters.as_query():
        return redirect(
            f"{request.path}?{filters.as_query()}".removesuffix("?")
        )  # one view, one address
    shown = tiles(made)
    context = {
        **context_of(request, filters),
        "figures": made,
        "tiles": shown,
        "for_others": "",
        **more,
    }
    if any(tile.number == GAP for tile in shown) and request.user.has_perm("labeling.label_items"):
        owner = (signed_in(request), visitor_of(request))
        context["for_others"] = why_for_others(audits_for_others(*owner))
    return render(request, template, context)


def context_of(request: HttpRequest, filters: Filters) -> dict[str, Any]:
    """The context that every page of the dashboard needs."""
    chosen = selects(filters)
    months = chosen[0].options  # besides "The beginning"
    return {
        "filters": filters,
        "query": filters.as_query(),
        "selects": chosen,
        "is_empty": not any(month.value for month in months),
        "sections": sections_for(request),
        "chart_script": settings.CHARTJS_STATIC,
        "sees_drawings": request.user.has_perm(SEE_DRAWINGS),
    }


def sections_for(request: HttpRequest) -> list[tuple[str, str, bool]]:
    """(title, address, is it this page) of the sections that the user may open."""
    whole = reverse("dashboard:everybody")  # the other addresses begin with it

    def is_here(url: str) -> bool:
        return request.path == url or (url != whole and request.path.startswith(url))

    return [
        (title, url := reverse(name), is_here(url))
        for title, name, permission in SECTIONS
        if permission is None or request.user.has_perm(permission)
    ]


def why_for_others(audits: int) -> str:
    """Why the label page has nothing for who drew all audits that wait."""
    if not audits:
        return ""
    which, them = (
        ("the one that waits", "it") if audits == 1 else (f"all {audits:,} that wait", "them")
    )
    return (
        f"You drew {which} and saw the guess, so somebody else has to label {them}, with an account"
        " of their own."
    )


def no_such_view(request: HttpRequest, unknown: UnknownFilter) -> HttpResponse:
    message = f"{unknown} Start again from the whole picture."
    return no_such_page(request, message, title="No such view")


@page_for(SEE_DRAWINGS)
@require_safe
def drawings_of_cell(request: HttpRequest) -> HttpResponse:
    """The drawings behind one cell, newest first."""
    try:
        which = WhichDrawings.parse(single(request))
        check_version(which.filters)
    except UnknownFilter as unknown:
        return no_such_view(request, unknown)
    found = cell_page(which)
    context = {
        **context_of(request, which.filters),
        "which": which,
        "page": found,
        "older": which.as_query(before=found.rows[-1].public_id) if found.next_query else "",
    }
    return render(request, "dashboard/drawings.html", context)
