"""Metrics of labels and of the queue, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count, Max, Min
from django.utils import timezone
from prometheus_client.core import Metric

from labeling.models import Label, LabelEvent, QueueItem, Stream
from predictions.metrics import gauge, reads
from predictions.models import Prediction


@reads
def queue_gauges() -> Iterator[Metric]:
    depth = gauge("queue_items", "Items that wait to be labeled.", ["stream"])
    age = gauge("queue_age_seconds", "Since the longest waiting was drawn.", ["stream"])
    rows = QueueItem.objects.filter(is_open=True).order_by().values_list("stream")
    found = {
        stream: (count, first)
        for stream, count, first in rows.annotate(Count("pk"), Min("prediction"))
    }
    firsts = [first for _, first in found.values()]
    drawn = dict(Prediction.objects.filter(pk__in=firsts).values_list("pk", "created_at"))
    now = timezone.now()
    for stream in Stream.values:
        count, first = found.get(stream, (0, None))
        depth.add_metric([stream], count)
        waited = (now - drawn[first]).total_seconds() if first in drawn else 0.0
        age.add_metric([stream], max(waited, 0.0))
    yield depth
    yield age


@reads
def label_gauges() -> Iterator[Metric]:
    standing = gauge("labels", "Labels that stand.", ["state"])
    rows = Label.objects.order_by().values_list("state").annotate(Count("pk"))
    counts = dict(rows)
    for state in Label.State.values:
        standing.add_metric([state], counts.get(state, 0))
    yield standing
    # The last key stands in for the count, which is slow: keys rise and events are never deleted.
    last = LabelEvent.objects.aggregate(last=Max("pk"))["last"] or 0
    events = gauge("label_event_last_key", "Rises with every label event.")
    events.add_metric([], last)
    yield events
