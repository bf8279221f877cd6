"""Reads new drawings with both versions of a trial, beside what visitors are shown.

Each drawing is read once a trial. `read_up_to` stores how far; it never passes the point up to
which the queue has every prediction.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property

import numpy as np
from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Greatest
from numpy.typing import NDArray

from labeling.models import Gold, QueueItem
from labeling.queue.intake import taken_in_until
from predictions.glyphs.glyph import decode_glyph
from predictions.models import Prediction
from predictions.serving.network import Network
from predictions.serving.recognizer import load_version
from training.models import Trial, TrialReading

BATCH = 1_000  # glyphs in one forward pass; their layers take about 100 MB
# Imports and the demo are not what people draw here.
NOT_DRAWN_HERE = [Prediction.Source.IMPORT, Prediction.Source.DEMO]


class Networks:
    """Two versions' networks, loaded when they are first needed."""

    def __init__(self, candidate: int, live: int) -> None:
        self.keys = candidate, live

    @cached_property
    def candidate(self) -> Network:
        return load_version(self.keys[0]).network

    @cached_property
    def live(self) -> Network:
        return load_version(self.keys[1]).network


def read_unread(trial: Trial, networks: Networks, *, until: float) -> None:
    """Read the drawings that the trial has not read, in batches, until this time at most."""
    after, complete = max(trial.after_prediction, trial.read_up_to), taken_in_until()
    while rows := unread(trial, after):
        after = rows[-1].pk
        readings = read_by_both(trial, networks, rows)
        if not store_trial_readings(trial, readings, up_to=min(after, complete)):
            return  # it has ended
        if time.monotonic() > until:
            return  # the next pass goes on


def unread(trial: Trial, after: int) -> list[Prediction]:
    """The next drawings that may judge: new here, and with a glyph that nobody drew before.

    What either version learned from is older than the trial, so its glyphs were seen before.
    """
    own = TrialReading.objects.filter(trial=trial)
    is_read = Exists(own.filter(prediction=OuterRef("pk")))
    place = QueueItem.objects.filter(prediction=OuterRef("pk"))
    # By the queue's digests: a trial keeps none, so that erasure removes them all.
    alike = QueueItem.objects.filter(glyph_digest=OuterRef("glyph_digest"))
    earlier, is_copy = alike.filter(pk__lt=OuterRef("pk")), Exists(alike.filter(is_read))
    is_gold = Exists(Gold.objects.filter(prediction=OuterRef("pk")))
    return list(
        drawn_since(after)
        .filter(Exists(place.filter(is_parked=False)) | Exists(place) & is_gold)
        .filter(~Exists(earlier), ~is_read, ~is_copy)
        .only("version", "digit", "confidence", "glyph", "glyph_digest")
        .order_by("pk")[:BATCH]
    )


def drawn_since(after: int) -> QuerySet[Prediction]:
    """What people drew here after this prediction, without what was erased."""
    return Prediction.objects.pictured().filter(pk__gt=after).exclude(source__in=NOT_DRAWN_HERE)


def read_by_both(trial: Trial, networks: Networks, rows: list[Prediction]) -> list[TrialReading]:
    """What both versions read; the live version's own readings are stored already."""
    glyphs = np.stack([decode_glyph(bytes(row.glyph)) for row in rows])
    after = best(networks.candidate, glyphs)
    before = [(row.digit, row.confidence) for row in rows]
    others = [at for at, row in enumerate(rows) if row.version_id != trial.against_id]
    if others:
        for at, reading in zip(others, best(networks.live, glyphs[others]), strict=True):
            before[at] = reading
    return [
        TrialReading(
            trial=trial,
            prediction=row,
            live_digit=before[at][0],
            live_confidence=before[at][1],
            candidate_digit=after[at][0],
            candidate_confidence=after[at][1],
        )
        for at, row in enumerate(rows)
    ]


def best(network: Network, glyphs: NDArray[np.uint8]) -> list[tuple[int, float]]:
    """The digit and confidence of each glyph."""
    read = probabilities(network, glyphs)
    return list(zip(read.argmax(1).tolist(), read.max(1).tolist(), strict=True))


@transaction.atomic
def store_trial_readings(trial: Trial, readings: list[TrialReading], *, up_to: int) -> bool:
    """Store readings, unless the trial has ended; one batch of a trial at a time.

    The update locks the trial, so readings get their keys in the order in which they become
    visible. Readings that another host stored meanwhile are left as they are.
    """
    held = Trial.objects.under_way().filter(pk=trial.pk)
    if not held.update(read_up_to=Greatest(F("read_up_to"), up_to)):
        return False
    TrialReading.objects.bulk_create(readings, ignore_conflicts=True)
    return True


def probabilities(
    network: Network, glyphs: NDArray[np.uint8], each_pass: Callable[[], object] = lambda: None
) -> NDArray[np.float32]:
    """Probabilities, (N, 10), read in batches to limit memory."""
    parts = [np.zeros((0, 10), np.float32)]
    for at in range(0, len(glyphs), BATCH):
        each_pass()
        parts.append(network.run(glyphs[at : at + BATCH])[0])
    return np.concatenate(parts)
