"""The first steps of a new installation, on the draw page of those who may start a run."""

from __future__ import annotations

from typing import Any

from django import template

from training.runs.first_steps import first_steps

register = template.Library()


@register.inclusion_tag("training/_first_steps.html", takes_context=True)
def first_steps_for_you(context: dict[str, Any]) -> dict[str, Any]:
    """For others, no query runs."""
    steps = first_steps() if context["user"].has_perm("training.start_run") else []
    now = next((number for number, step in enumerate(steps) if not step.is_done), None)
    return {
        "steps": steps,
        "now": now,
        "is_new": bool(steps) and steps[0].said.startswith("0 "),
        "perms": context["perms"],
        "csrf_token": context["csrf_token"],
    }
