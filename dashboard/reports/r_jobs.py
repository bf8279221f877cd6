"""R reports as background tasks: requested on a page, drawn by a worker.

The pictures are rows, because web server and worker may be on different machines.
"""

from __future__ import annotations

import logging
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django_q.tasks import async_task

from dashboard.filters import Filters
from dashboard.models import RChart, RReport
from dashboard.reports import r_report
from predictions.database.clock import Moment
from predictions.errors import Declined

logger = logging.getLogger(__name__)

KEPT = 3  # reports; older ones are deleted with their pictures
SILENT = timedelta(minutes=5)  # without a new chart; then the worker counts as lost


class AlreadyDrawing(Declined):
    """Another report is being drawn; there is one at a time."""

    code = "already_drawing"


@transaction.atomic
def request_report(*, by: User, query: str = "") -> RReport:
    """Create a report and enqueue its task, in one transaction."""
    give_up_lost()
    try:
        with transaction.atomic():
            report = RReport.objects.create(asked_by=by, query=query)
    except IntegrityError as taken:  # the constraint one_active_r_report
        raise AlreadyDrawing("A report is being made already; only one at a time.") from taken
    async_task("dashboard.reports.r_jobs.work", report.pk, task_name=f"R report {report.pk}")
    return report


def give_up_lost() -> int:
    """Mark reports whose worker is lost as failed; return how many."""
    lost = RReport.objects.filter(state__in=RReport.ACTIVE, changed_at__lt=Moment() - SILENT)
    return lost.update(
        state=RReport.State.FAILED,
        reason="No worker drew it in time. Is one running?",
        changed_at=Moment(),
    )


def work(report_id: int) -> dict[str, Any]:
    """Draw a report, unless another worker has taken it."""
    taken = RReport.objects.filter(pk=report_id, state=RReport.State.QUEUED).update(
        state=RReport.State.RUNNING, changed_at=Moment()
    )
    if not taken:
        return {"report": report_id, "taken": False}
    report = RReport.objects.get(pk=report_id)
    try:
        draw_charts(report)
    except Declined as declined:
        return end_report(report, RReport.State.FAILED, reason=str(declined))
    except Exception as failed:
        # Store any error as the report's reason; raise it again for the log.
        end_report(report, RReport.State.FAILED, reason=str(failed))
        raise
    with transaction.atomic():
        told = end_report(report, RReport.State.DONE)
        forget_old()
    return told


def draw_charts(report: RReport) -> None:
    """Draw every chart as PNG and PDF. Each is stored at once, so that whatever ends this early
    leaves those that were drawn."""
    names = r_report.chart_names()
    filters = Filters.parse(dict(report.filters()))
    with tempfile.TemporaryDirectory() as passing:

        def keep(name: str) -> None:
            place = names.index(name)
            RChart.objects.bulk_create(
                RChart(report=report, place=place, name=name, kind=kind,
                       content=Path(passing, f"{name}.{kind}").read_bytes())
                for kind in r_report.kinds(pdf=True)
            )  # fmt: skip
            RReport.objects.filter(pk=report.pk).update(
                progress=(place + 1) / len(names), changed_at=Moment()
            )

        r_report.draw_report(Path(passing), pdf=True, filters=filters, drawn=keep)


def chart_at(report: RReport, drawn: int) -> str:
    """The name of the chart that is being drawn, or empty."""
    names = r_report.chart_names()
    is_drawing = report.state == RReport.State.RUNNING and drawn < len(names)
    return names[drawn] if is_drawing else ""


def end_report(report: RReport, state: str, *, reason: str = "") -> dict[str, Any]:
    """Set the final state, unless the report has ended already."""
    RReport.objects.filter(pk=report.pk, state=RReport.State.RUNNING).update(
        state=state, reason=reason, changed_at=Moment()
    )
    logger.info("R report %s ended %s", report.pk, state)
    return {"report": report.pk, "state": state, "reason": reason}


def forget_old() -> None:
    kept = RReport.objects.order_by("-pk").values_list("pk", flat=True)[:KEPT]
    RReport.objects.exclude(pk__in=list(kept)).exclude(state__in=RReport.ACTIVE).delete()
