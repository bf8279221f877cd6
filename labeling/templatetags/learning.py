"""Parts that several pages show: what the next fine-tune needs, guidelines, review's tabs."""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings

from labeling.decisions.notes import guidelines
from labeling.decisions.trust import is_trusted, labels_toward_next_run, most_needed

register = template.Library()
TABS = [  # of the review pages; the last is for those who correct in bulk
    ("Disputes", "labeling:review"),
    ("Notes", "labeling:notes"),
    ("Agreement", "labeling:agreement"),
    ("Withdrawals", "labeling:withdrawals"),
]


@register.simple_tag
def digits_most_needed() -> str:
    """The digits, those with the fewest labels to learn from first."""
    return " ".join(str(digit) for digit in most_needed())


@register.inclusion_tag("labeling/_guidelines.html", takes_context=True)
def show_guidelines(context: dict[str, Any]) -> dict[str, Any]:
    return {"guidelines": guidelines(), "perms": context["perms"]}


@register.inclusion_tag("labeling/_review_tabs.html", takes_context=True)
def review_tabs(context: dict[str, Any]) -> dict[str, Any]:
    may_withdraw = context["user"].has_perm("labeling.correct_in_bulk")
    return {"tabs": TABS if may_withdraw else TABS[:-1], "request": context["request"]}


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
