"""Metrics of accuracy, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from dashboard.figures.accuracy import monthly
from dashboard.figures.sample import together
from dashboard.filters import Filters
from predictions.metrics import gauge, reads
from predictions.models import ModelVersion


@reads
def live_accuracy() -> Iterator[Metric]:
    """Accuracy of the live version on the audits it read itself, as the dashboard counts it.

    Labels that wait for a second opinion count too: they often contradict the model, so without
    them its accuracy would be too high.
    """
    right = gauge("live_accuracy", "Of the live version over its own audits.", ["version"])
    low = gauge("live_accuracy_low", "Lower end of the 95% interval.", ["version"])
    high = gauge("live_accuracy_high", "Upper end of the 95% interval.", ["version"])
    count = gauge("live_accuracy_n", "Audited drawings it is taken over.", ["version"])
    name = ModelVersion.objects.live().values_list("name", flat=True).first()
    if name is not None:
        sample = together(monthly(Filters(version=name)).values())
        count.add_metric([name], sample.n)
        if (
            share := sample.share
        ) is not None:  # without audits there is no accuracy, rather than 0
            right.add_metric([name], share.value)
            low.add_metric([name], share.low)
            high.add_metric([name], share.high)
    yield from (right, low, high, count)
