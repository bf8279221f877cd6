"""What was learned from one drawing, for its page."""

from __future__ import annotations

from typing import Any

from django import template
from django.db.models import Q

from labeling.batches.story import DrawingStory
from predictions.models import Prediction
from training.snapshots.lineage import Containing, run_of, versions_containing

register = template.Library()


@register.inclusion_tag("training/_learned.html", takes_context=True)
def learned_from(
    context: dict[str, Any], prediction: Prediction, story: DrawingStory
) -> dict[str, Any]:
    """The versions that learned from a drawing; nothing is said where its label is not shown."""
    is_told = story.names or story.label is not None
    containing = versions_containing(Q(event__prediction=prediction)) if is_told else []
    return {
        "perms": context["perms"],
        "story": story,
        "is_told": is_told,
        "themselves": [with_run(each) for each in containing if each.labels],
        "heirs": [each.version for each in containing if not each.labels],
    }


def with_run(each: Containing) -> dict[str, Any]:
    return {"version": each.version, "run": run_of(each.version)}
