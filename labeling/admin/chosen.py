"""How the items of a batch were chosen, in words."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.views.main import ALL_VAR, IGNORED_PARAMS, PAGE_VAR
from django.http import HttpRequest

OF_THE_LIST = {ALL_VAR, PAGE_VAR, *IGNORED_PARAMS}  # parameters that narrow nothing


def filter_in_words(model_admin: Any, request: HttpRequest) -> str:
    """The filter of an admin list as its titles say it; empty where there is none."""
    shown = model_admin.get_changelist_instance(request)
    said = []
    for spec in shown.filter_specs:
        titles = {str(value): title for value, title in spec.lookup_choices}
        if (value := spec.value()) is not None:
            said.append(f"{spec.title}: {titles.get(str(value), value)}")
    if shown.query:
        said.append(f"search: {shown.query}")
    named = {name for spec in shown.filter_specs for name in spec.expected_parameters()}
    others = {name: text for name, text in request.GET.items() if name not in named | OF_THE_LIST}
    said += [f"{name}: {text}" for name, text in others.items()]
    return ", ".join(said)


def chosen_in_words(chosen_by: dict[str, Any]) -> str:
    """What a batch did and to which items; older batches name their filter by its parameters."""
    rest = dict(chosen_by)
    act, is_all = rest.pop("act", ""), rest.pop("all that match", None)
    named = ", ".join(f"{name}: {value}" for name, value in rest.pop("filter", {}).items())
    found = rest.pop("words", "") or named
    which = {
        None: "",
        True: f"all that match {found}" if found else "the whole list",
        False: f"ticked in the list, {found}" if found else "ticked in the list",
    }[is_all]
    others = [f"{name}: {value}" for name, value in rest.items()]
    return "; ".join(part for part in [act, which, *others] if part)
