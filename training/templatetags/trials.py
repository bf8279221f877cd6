"""What trials mean to the person at the draw page."""

from __future__ import annotations

from typing import Any

from django import template

from predictions.capture.visitors import owner_of
from training.trials.home import gain_of, under_way_for

register = template.Library()


@register.inclusion_tag("training/_home.html", takes_context=True)
def trials_for_you(context: dict[str, Any]) -> dict[str, Any]:
    """For a browser that has drawn nothing, and is not signed in, no query runs."""
    user = context["user"]
    return {
        "perms": context["perms"],
        "gain": gain_of(owner_of(context["request"])),
        "under_way": under_way_for(user) if user.has_perm("labeling.label_items") else None,
    }
