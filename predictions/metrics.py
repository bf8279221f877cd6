"""Metrics for Prometheus: counters of this host's processes, and gauges read from the database.

Requests and predictions are counted in memory, because a row for each would cost more than the
request. The processes of a host share files (prometheus_client's multiprocess mode;
config/counts.py makes their folder). Sum counters over hosts. Gauges (queue, labels, runs, workers)
are read from the database and are the same on every host: take their maximum, not their sum.
"""

from __future__ import annotations

import hmac
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest
from django.utils.module_loading import autodiscover_modules
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

logger = logging.getLogger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
KEPT_FOR = 10.0  # seconds the gauges are cached, so several scrapers cost as much as one
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

counted = CollectorRegistry()
requests = Counter("inkloop_requests", "Requests answered.", ["route", "status"], registry=counted)
latency = Histogram(
    "inkloop_request_seconds",
    "From the first line of a request to the first of its answer.",
    ["route"],
    buckets=SECONDS,
    registry=counted,
)
predictions = Counter(
    "inkloop_predictions", "Predictions stored.", ["version", "source"], registry=counted
)
label_studio = Counter(
    "inkloop_label_studio",
    "What Label Studio sent: tasks to read and events, by what became of them.",
    ["sent", "outcome"],
    registry=counted,
)
serving = Gauge(
    "inkloop_serving",
    "1 for the model version that answers in the process.",
    ["version"],
    multiprocess_mode="liveall",
    registry=counted,
)


def note_request(route: str, status: int, seconds: float) -> None:
    requests.labels(route, f"{status // 100}xx").inc()
    latency.labels(route).observe(seconds)


def note_predictions(version: str, source: str, count: int) -> None:
    predictions.labels(version, source).inc(count)


def note_label_studio(sent: str, outcome: str, count: int = 1) -> None:
    label_studio.labels(sent, outcome).inc(count)


def note_serving(version: str, *, before: str | None) -> None:
    if before is not None and before != version:
        serving.labels(before).set(0)
    serving.labels(version).set(1)


# -- figures from rows ----------------------------------------------------------------------------

Reader = Callable[[], Iterable[Metric]]
readers: list[Reader] = []


def reads(reader: Reader) -> Reader:
    """Register a function of an app's `operation/gauges.py` that reads gauges from rows."""
    readers.append(reader)
    return reader


def gauge(name: str, text: str, labels: Iterable[str] = ()) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"inkloop_{name}", text, labels=list(labels))


class Rows(Collector):
    """All gauges; if the database fails, only that."""

    def collect(self) -> Iterator[Metric]:
        answers = gauge("database_answers", "1 when the database was asked and answered.")
        try:
            yield from [metric for reader in readers for metric in reader()]
        except DatabaseError as refused:
            logger.warning("no figures from rows: %s", refused)
            answers.add_metric([], 0)
        else:
            answers.add_metric([], 1)
        yield answers


class Remembered:
    """The gauges as text, cached for KEPT_FOR seconds and read by one thread at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._text = b""
        self._read_at = float("-inf")

    def text(self) -> bytes:
        with self._lock:
            if time.monotonic() - self._read_at >= KEPT_FOR:
                autodiscover_modules("operation.gauges")
                registry = CollectorRegistry(auto_describe=False)
                registry.register(Rows())
                self._text = generate_latest(registry)
                self._read_at = time.monotonic()
            return self._text

    def forget(self) -> None:
        self._read_at = float("-inf")


rows = Remembered()


def exposition() -> bytes:
    """All metrics in Prometheus's text format."""
    registry = counted
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry) + rows.text()


# -- who may see it -------------------------------------------------------------------------------

FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")


def may_look(request: HttpRequest) -> bool:
    """Whether the caller sent the token or, if no token is set, is on this machine.

    A request through a proxy is never from this machine, even if the proxy is on it and
    PROXY_COUNT is 0.
    """
    if settings.METRICS_TOKEN:
        kind, _, shown = request.headers.get("Authorization", "").partition(" ")
        return kind == "Bearer" and hmac.compare_digest(
            shown.encode(errors="replace"), settings.METRICS_TOKEN.encode()
        )
    meta: dict[str, Any] = request.META
    if any(name in meta for name in FORWARDED):
        return False
    return meta.get("REMOTE_ADDR") in {"127.0.0.1", "::1", ""}
