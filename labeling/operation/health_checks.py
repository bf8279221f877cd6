"""Health checks of labels and of the queue, for `manage.py doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from labeling.batches.erasure import overdue
from labeling.batches.rebuild import rebuild_labels
from labeling.queue.intake import outside, taken_in_until
from predictions.operation.doctor import Finding, attention, broken, examines

BEHIND = timedelta(minutes=10)  # new drawings are enqueued every minute
GRACE = 2  # days: drawings due today are erased tonight


@examines(deep=True)
def labels_follow_events() -> Iterator[Finding]:
    found = rebuild_labels(mend=False)
    if len(found):
        yield broken(
            "labels_differ",
            f"Of {found.looked_at:,} items {len(found.labels):,} labels and {len(found.places):,} "
            "queue places are not what their events add up to.",
            why="Events are the truth; somebody or something wrote past them, and figures and "
            "training follow the labels.",
            todo="Run `manage.py rebuild_labels`; it mends them from the events.",
        )


@examines()
def queue_takes_in() -> Iterator[Finding]:
    waiting = outside().filter(pk__gt=taken_in_until(), created_at__lt=timezone.now() - BEHIND)
    if count := waiting.count():
        yield attention(
            "queue_behind",
            f"{count:,} drawings older than {BEHIND.seconds // 60} minutes are not in the queue.",
            why="Nobody can label them.",
            todo="Run `manage.py work`; it takes them in every minute.",
        )


@examines()
def retention_is_kept() -> Iterator[Finding]:
    if not settings.RETENTION_DAYS:
        return
    if count := overdue(days=settings.RETENTION_DAYS + GRACE).count():
        yield broken(
            "retention_overdue",
            f"{count:,} drawings nobody labeled are older than RETENTION_DAYS "
            f"({settings.RETENTION_DAYS}).",
            why="What was promised to be erased is still there.",
            todo="See that `manage.py work` runs and that its nightly erasure is not switched off.",
        )
