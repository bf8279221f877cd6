"""Clusters of digits: drawings laid out in two dimensions by the features of a version's network.

t-SNE keeps neighbors together; distances between clusters mean little. It runs in its own process,
because its library takes a second and 130 MB to load.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from numpy.typing import NDArray

from dashboard.models import DigitMap, MapPoint
from dashboard.replay.replay import glyphs_of_predictions
from labeling.models import Label, LabelEvent
from predictions.errors import Declined
from predictions.models import ModelVersion
from predictions.serving.recognizer import load_version
from training.versions.promotion import live_version
from training.workers.die_with_parent import die_with

logger = logging.getLogger(__name__)

SAMPLE = 1_000  # drawings; twice as many take three times as long and overlap
LEAST = 30  # drawings; fewer form no clusters
PERPLEXITY = 30  # about the number of neighbors that place a drawing
SEED = 20261121  # fixed, so that the same drawings give the same map
AGAIN_AFTER = timedelta(days=1)
KEPT = 5  # maps of each version
NICE = 10  # the web server goes first
LONGEST = 240  # seconds; below the time limit of a background task


class NothingToLayOut(Declined):
    """There are too few drawings, or the network gives all of them the same features."""

    code = "nothing_to_lay_out"


def is_map_due() -> bool:
    """Whether the live version has no map, or an old one with label events since."""
    live = live_version()
    if live is None or Label.objects.readable()[:LEAST].count() < LEAST:
        return False
    last = DigitMap.objects.filter(version=live).first()
    if last is None:
        return True
    return last.made_at < timezone.now() - AGAIN_AFTER and last.last_event != newest_event()


def newest_event() -> int:
    return LabelEvent.objects.aggregate(last=Max("pk"))["last"] or 0


def make_apart(version: ModelVersion) -> int:
    """Make a map in a child process; return its exit status."""
    parent = os.getpid()

    def apart() -> None:
        die_with(parent)
        os.nice(NICE)

    done = subprocess.run(  # noqa: S603  (our own command, a name as its argument)
        [sys.executable, "manage.py", "digit_map", version.name],
        cwd=settings.BASE_DIR,
        # On a busy machine several threads take ten times as long as one.
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=apart,
        timeout=LONGEST,
        check=False,
    )
    return done.returncode


def make_map(version: ModelVersion) -> DigitMap:
    """Store a new map by this version, or a row with the reason why there is none."""
    event = newest_event()
    labels = sample()
    points: list[MapPoint] = []
    method = problem = ""
    try:
        points, method = laid_out(version, labels)
    except Declined as why:
        problem = str(why)
    audits = sum(point.is_audit for point in points)
    with transaction.atomic():
        made = DigitMap.objects.create(
            version=version,
            last_event=event,
            method=method,
            audits=audits,
            others=len(points) - audits,
            problem=problem,
        )
        for point in points:
            point.map = made
        MapPoint.objects.bulk_create(points, batch_size=500)
        old = DigitMap.objects.filter(version=version).values_list("pk", flat=True)[KEPT:]
        DigitMap.objects.filter(pk__in=list(old)).delete()
    logger.info("map %s of %s drawings by %s", made.pk, len(points), version)
    return made


def sample() -> list[Label]:
    """The newest audited drawings, which are a random sample; then other new ones up to SAMPLE."""
    rows = Label.objects.readable().pictured().select_related("prediction").order_by("-pk")
    rows = rows.defer("prediction__glyph", "prediction__probabilities")
    audits = list(rows.audited()[:SAMPLE])
    others = list(rows.filter(prediction__is_audit=False)[: SAMPLE - len(audits)])
    return [*audits, *others]


def laid_out(version: ModelVersion, labels: list[Label]) -> tuple[list[MapPoint], str]:
    if len(labels) < LEAST:
        raise NothingToLayOut(f"{len(labels)} labeled drawings, {LEAST} needed for a map.")
    network = load_version(version.pk).network
    glyphs = np.stack(glyphs_of_predictions([label.pk for label in labels]))
    features = network.features(glyphs)
    if not features.std(axis=0).any():
        raise NothingToLayOut("The network gives the same features for every drawing.")
    places, method = project(features)
    readings = network.read(glyphs)
    points = [
        MapPoint(
            prediction=label.prediction,
            x=float(x),
            y=float(y),
            label=digit,
            read=reading.digit,
            confidence=reading.confidence,
            is_audit=label.prediction.is_audit,
            source=label.prediction.source,
            day=label.prediction.day,
        )
        for label, reading, (x, y) in zip(labels, readings, places.tolist(), strict=True)
        if (digit := label.digit) is not None  # always true: all labels are readable
    ]
    return points, method


def project(features: NDArray[np.float32]) -> tuple[NDArray[np.float64], str]:
    """Positions (N, 2) from -1 to 1, and the method. Equal features give equal positions."""
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(features) - 1) // 3)
    layout = TSNE(2, perplexity=perplexity, init="pca", random_state=SEED, n_jobs=1)
    places: NDArray[Any] = layout.fit_transform(features)
    places = places - (places.max(axis=0) + places.min(axis=0)) / 2
    return (
        places / max(float(np.abs(places).max()), 1e-9),
        f"t-SNE of the network's {features.shape[1]} features, perplexity {perplexity}",
    )
