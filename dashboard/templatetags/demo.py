"""The button that fills an empty installation with the demo, and how far the demo is."""

from __future__ import annotations

from typing import Any

from django import template

from dashboard.demo.job import WAITING, why_not_made
from dashboard.models import DemoJob
from predictions.operation.health import workers_by_cluster

register = template.Library()


@register.inclusion_tag("dashboard/_demo_button.html", takes_context=True)
def demo_button(context: dict[str, Any]) -> dict[str, Any]:
    """For those who may not make it, no query runs."""
    if "training.promote_version" not in context["perms"]:
        return {"may_make": False}
    job = DemoJob.objects.first()
    workers = workers_by_cluster()["training"] if job and job.stage == WAITING else None
    return {
        "may_make": True,
        "job": job,
        "fault": why_not_made(job) if job else "",
        "missing": workers.said if workers and workers.fault == "no_worker" else "",
        "csrf_token": context["csrf_token"],
    }
