"""What the next fine-tune needs, for the pages where people draw and say what it is."""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings

from labeling.decisions.trust import is_trusted, labels_toward_next_run, most_needed

register = template.Library()


@register.simple_tag
def digits_most_needed() -> str:
    """The digits, those with the fewest labels to learn from first."""
    return " ".join(str(digit) for digit in most_needed())


@register.inclusion_tag("labeling/_toward.html", takes_context=True)
def toward_next_run(context: dict[str, Any]) -> dict[str, Any]:
    """Only trusted users see it; for others no query runs."""
    if not is_trusted(context["user"]):
        return {"is_trusted": False}
    labels = labels_toward_next_run()
    enough = settings.LABELS_PER_RUN
    return {
        "is_trusted": True,
        "labels": labels,
        "enough": enough,
        "share": min(100, 100 * labels // enough),
    }
