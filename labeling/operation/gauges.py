"""Metrics of labels and of the queue, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count, F, Max, Min, Q
from django.utils import timezone
from prometheus_client.core import Metric

from labeling.decisions.agreement import rate
from labeling.models import Label, LabelEvent, QueueItem, Stream
from predictions.metrics import gauge, reads
from predictions.models import ModelVersion, Prediction


@reads
def queue() -> Iterator[Metric]:
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
def labels() -> Iterator[Metric]:
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


@reads
def live_accuracy() -> Iterator[Metric]:
    """Accuracy of the live version on the audits it read itself, the only unbiased sample.

    Labels that wait for a second opinion count too, as on the dashboard: they often contradict the
    model, so without them its accuracy would be too high.
    """
    right = gauge("live_accuracy", "Of the live version over its own audits.", ["version"])
    low = gauge("live_accuracy_low", "Lower end of the 95 % Wilson interval.", ["version"])
    high = gauge("live_accuracy_high", "Upper end of the 95 % Wilson interval.", ["version"])
    count = gauge("live_accuracy_n", "Audited drawings it is taken over.", ["version"])
    live = ModelVersion.objects.live().only("name", "created_at").first()
    if live is not None:
        audited = Label.objects.readable().audited().filter(prediction__version=live)
        # The day is indexed, the version is not; a version reads nothing before it is created.
        audited = audited.filter(prediction__day__gte=timezone.localdate(live.created_at))
        found = audited.aggregate(
            n=Count("pk"), hits=Count("pk", filter=Q(digit=F("prediction__digit")))
        )
        figures = rate(found["hits"], found["n"])
        count.add_metric([live.name], found["n"])
        for metric, value in ((right, figures.value), (low, figures.low), (high, figures.high)):
            if value is not None:  # without audits there is no accuracy, rather than 0
                metric.add_metric([live.name], value)
    yield from (right, low, high, count)
