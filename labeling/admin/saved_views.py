"""Filters of an admin list, saved under a name and shown as links above it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.views.main import ORDER_VAR, SEARCH_VAR
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, QueryDict
from django.shortcuts import redirect
from django.urls import path, reverse

from labeling.errors import EmptySelection
from labeling.models import SavedView
from predictions.errors import Declined

MOST = 30  # views per person


class OddFilter(Declined):
    """The list has no such filter."""

    code = "odd_filter"


class SavedViewsMixin:
    """A list whose filters can be saved; only parameters that the list offers are stored."""

    list_before_template = "admin/labeling/saved_views.html"

    def get_urls(self) -> list[Any]:
        guarded = self.admin_site.admin_view(self.change_saved_views)  # type: ignore[attr-defined]
        return [
            path("views/", guarded, name="predictions_prediction_views"),
            *super().get_urls(),  # type: ignore[misc]
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        views = SavedView.objects.filter(owner_id=request.user.pk)
        context = {
            "saved_views": views,
            "current_query": kept_part(request.GET, self.allowed_parameters()).urlencode(),
            **(extra_context or {}),
        }
        response: HttpResponse = super().changelist_view(request, context)  # type: ignore[misc]
        return response

    def allowed_parameters(self) -> set[str]:
        filters = self.list_filter  # type: ignore[attr-defined]
        return {SEARCH_VAR, ORDER_VAR} | {each.parameter_name for each in filters}

    def change_saved_views(self, request: HttpRequest) -> HttpResponse:
        """Save the current filter under a name, or delete a saved one."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        assert isinstance(request.user, User)
        query = request.POST.get("querystring", "")
        try:
            if "forget" in request.POST:
                forget_view(request.user, request.POST["forget"])
            else:
                name = request.POST.get("name", "")
                query = save_view(request.user, name, query, allowed=self.allowed_parameters())
        except Declined as declined:
            messages.warning(request, str(declined))
            query = ""
        return redirect(f"{reverse('admin:predictions_prediction_changelist')}?{query}")


def kept_part(query: QueryDict, allowed: set[str]) -> QueryDict:
    kept = QueryDict(mutable=True)
    for name in sorted(allowed & set(query)):
        kept.setlist(name, query.getlist(name))
    return kept


def save_view(owner: User, name: str, querystring: str, *, allowed: set[str]) -> str:
    """Save a filter, replacing one of the same name; return it as it was saved."""
    name = name.strip()
    if not name or len(name) > 40:
        raise EmptySelection("A view needs a name of at most 40 characters.")
    query = QueryDict(querystring)
    if odd := set(query) - allowed:
        raise OddFilter(f"The list cannot be filtered by {', '.join(sorted(odd))}.")
    stored = kept_part(query, allowed).urlencode()
    if len(stored) > 500:
        raise OddFilter("The filter is too long to keep.")
    own = SavedView.objects.filter(owner=owner)
    if own.exclude(name=name).count() >= MOST:
        raise OddFilter(f"You keep {MOST} views already; forget one first.")
    SavedView.objects.update_or_create(owner=owner, name=name, defaults={"querystring": stored})
    return stored


def forget_view(owner: User, key: str) -> None:
    if not key.isdecimal() or not SavedView.objects.filter(owner=owner, pk=key).delete()[0]:
        raise EmptySelection("There is no such view of yours.")
