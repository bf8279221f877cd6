"""Template filters for runs and versions."""

from __future__ import annotations

from typing import Any

from django import template

from predictions.operation.health import Workers
from training.models import GateReport, Run, Trial

register = template.Library()
HEATS = 5  # shades of a confusion matrix, besides the empty one
STATES = {
    Run.State.QUEUED: "waits for a worker",
    Run.State.RUNNING: "is running",
    Run.State.DONE: "is done",
    Run.State.FAILED: "failed",
    Run.State.CANCELED: "was canceled",
}

WORKERS = {"no_worker": "not running", "workers_new": "starting", "workers_idle": "stuck"}


@register.filter
def run_in_words(run: Run) -> str:
    if run.is_active and run.cancel_asked:
        return "is stopping"
    return STATES[Run.State(run.state)]


@register.filter
def worker_in_words(workers: Workers, run: Run | None) -> str:
    """The state of the training workers in a word or two."""
    if workers.fault:
        return WORKERS[workers.fault]
    return "at work" if run is not None and run.state == Run.State.RUNNING else "ready"


@register.filter
def trial_kind(trial: Trial) -> str:
    """The class of a trial's notice."""
    return {"promote": "success", "reject": "error"}.get(trial.verdict, "")


@register.filter
def evidence(value: float) -> str:
    """An amount of evidence, with commas and three significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


@register.filter
def verdict_in_words(report: GateReport) -> str:
    """The verdict of a report from before there were trials, as one sentence."""
    against = report.against
    if report.verdict == GateReport.Verdict.PROMOTE:
        return f"Promote: it is better than {against} and worse at nothing."
    if report.verdict == GateReport.Verdict.REJECT:
        return f"Reject: it must not replace {against}."
    if report.labels_needed:
        return f"About {report.labels_needed:,} more labels are needed to decide."
    return "More labels are needed to decide."


@register.filter
def verdict_kind(report: GateReport) -> str:
    """The class of the verdict's notice."""
    return {"promote": "success", "reject": "error"}.get(report.verdict, "warning")


@register.filter
def points(share: float | None) -> str:
    """A difference of accuracies in percentage points, with its sign."""
    if share is None:
        return "–"
    number = 100 * share
    if abs(number) < 0.005:
        return "±0.00"
    return f"{number:+.2f}".replace("-", "−")


@register.filter
def better_or_worse(share: float) -> str:
    """The CSS class of a difference: right, wrong or none."""
    return "right" if share > 0 else "wrong" if share < 0 else "none"


@register.filter
def accuracy(found: dict[str, Any], when: str) -> float | None:
    """The accuracy "before" or "after" in a comparison; None without items."""
    right: int = found[f"right_{when}"]
    return right / found["n"] if found["n"] else None


@register.filter
def heat(row: list[int], at: int) -> str:
    """The CSS class of a confusion matrix cell, darker for a larger share of its row."""
    total = sum(row)
    share = row[at] / total if total else 0.0
    return f"heat-{min(HEATS, int(share * HEATS * 4) + 1)}" if share else "heat-0"


@register.filter
def share_of(count: int, most: int) -> float:
    """The length of a bar, 0 to 1."""
    return count / most if most else 0.0
