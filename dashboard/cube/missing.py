"""Count the audits without a blind label, by the reason: neither log tells of skips or erasures."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import Now, TruncMonth

from dashboard.models import Mark, MissingAudits
from labeling.models import Label, LabelEvent
from predictions.models import Prediction

REASONS = ("labeled", "skipped", "expired", "erased", "changed")


def count_missing(since: date | None = None) -> int:
    """Count the months from `since` on; return how many of them changed."""
    counts = missing_by_month(since)
    rows = MissingAudits.objects.filter(month__gte=since) if since else MissingAudits.objects.all()
    stored = {row.month: {name: getattr(row, name) for name in REASONS} for row in rows}
    nothing = dict.fromkeys(REASONS, 0)
    changed = {
        month: found
        for month in {*counts, *stored}
        if (found := counts.get(month, nothing)) != stored.get(month)
    }
    if changed:
        write_missing(changed)
    return len(changed)


def missing_by_month(since: date | None) -> dict[date, dict[str, int]]:
    audits = Prediction.objects.filter(is_audit=True)
    labels = Label.objects.audited()
    if since:
        audits, labels = audits.filter(day__gte=since), labels.filter(prediction__day__gte=since)
    open_ = Q(queue_item__is_open=True, erased_at=None)
    waiting = counts_by_month(
        audits.filter(label__isnull=True).annotate(month=TruncMonth("day")),
        skipped=open_ & Q(queue_item__skips__gt=0),
        expired=open_ & Q(queue_item__skips=0, queue_item__leased_until__lte=Now()),
        erased=Q(erased_at__isnull=False),
    )
    labeled = counts_by_month(
        labels.annotate(month=TruncMonth("prediction__day")),
        labeled=Q(),
        changed=Q(event__kind=LabelEvent.Kind.CORRECT),
    )
    found: defaultdict[date, dict[str, int]] = defaultdict(lambda: dict.fromkeys(REASONS, 0))
    for each in (waiting, labeled):
        for month, counts in each.items():
            found[month] |= counts
    return dict(found)


def counts_by_month(rows: QuerySet[Any], **kinds: Q) -> dict[date, dict[str, int]]:
    counted = rows.order_by().values("month")
    found = counted.annotate(**{name: Count("pk", filter=kind) for name, kind in kinds.items()})
    return {row["month"]: {name: row[name] for name in kinds} for row in found}


@transaction.atomic
def write_missing(changed: dict[date, dict[str, int]]) -> None:
    MissingAudits.objects.bulk_create(
        [MissingAudits(month=month, **counts) for month, counts in changed.items()],
        update_conflicts=True,
        unique_fields=["month"],
        update_fields=list(REASONS),
    )
    Mark.objects.update(changes=F("changes") + 1)  # figures tell of it
