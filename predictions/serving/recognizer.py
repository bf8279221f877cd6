"""Which network answers in this process: the live version, or the last good one."""

from __future__ import annotations

import itertools
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from django.db import DatabaseError, transaction
from django.db.models import F
from numpy.typing import NDArray

from predictions import metrics
from predictions.database.clock import Moment
from predictions.errors import Declined
from predictions.models import Artifact, ModelVersion, ServingFault
from predictions.serving.network import Network, Reading, UnsoundWeights, load
from predictions.serving.registry import STEP_IN, checked_content

logger = logging.getLogger(__name__)

LOOK_EVERY = 0.5  # seconds between two checks which version is live
PIECE = 64  # glyphs of one forward pass; more at once are no faster
FAILURES_IN_A_ROW = 3  # until a version is given up; a single one may be the machine's fault
TRY_AGAIN_AFTER = 30.0  # seconds until a version that was given up is tried again

Mapper = Callable[
    [Callable[[NDArray[np.uint8]], list[Reading]], Iterable[NDArray[np.uint8]]],
    Iterable[list[Reading]],
]


class NoModel(Declined):
    """No sound model version can serve."""

    code = "no_model"


@dataclass(frozen=True, slots=True)
class Serving:
    """A version's network, ready to answer."""

    version: ModelVersion  # only its name is loaded
    network: Network

    def read(self, glyph: NDArray[np.uint8]) -> Reading:
        return self.network.read(glyph[np.newaxis])[0]


@dataclass(frozen=True, slots=True)
class Recognition:
    """What was read, and by which version."""

    version: ModelVersion
    readings: list[Reading]


class Recognizer:
    """Serves the live version. Requests check for a promotion every LOOK_EVERY seconds.

    If the live version does not load, or fails FAILURES_IN_A_ROW times, this process gives it up
    and stores a ServingFault, on which a rollback is decided. Meanwhile the last good version
    answers. The live version is tried again after TRY_AGAIN_AFTER seconds.
    """

    def __init__(self) -> None:
        self._serving: Serving | None = None
        self._spare: Serving | None = None  # what served before, kept as a fallback
        self._live: tuple[object, ...] | None = None  # id and live_since at the last check
        self._looked_at = float("-inf")
        self._failures = 0  # in a row, of the serving version
        self._unsound: dict[int, str] = {}  # version id to what is wrong with it
        self._found_unsound_at = float("-inf")  # when the last of them was added
        self._lock = threading.Lock()

    def read(self, glyphs: NDArray[np.uint8], *, side_by_side: Mapper = map) -> Recognition:
        """Read glyphs, (N, 28, 28), with the live version, or the last good one if that fails.

        Many glyphs are read in pieces; `side_by_side` may be the `map` of a thread pool.
        """
        serving = self.serving()
        pieces = [glyphs[at : at + PIECE] for at in range(0, len(glyphs), PIECE)]
        try:
            read = side_by_side(serving.network.read, pieces)
            answer = Recognition(serving.version, list(itertools.chain.from_iterable(read)))
        except UnsoundWeights as fault:
            return self._read_with_another(glyphs, serving, fault)
        self._failures = 0
        return answer

    def serving(self) -> Serving:
        """The version that answers now. While one thread checks, others use the old version."""
        current = self._serving
        if current is not None and time.monotonic() - self._looked_at < LOOK_EVERY:
            return current
        if not self._lock.acquire(blocking=current is None):
            assert current is not None
            return current
        try:
            return self._look()
        finally:
            self._lock.release()

    def faults(self) -> dict[int, str]:
        """What is wrong with versions that should serve here and do not, by their id."""
        return dict(self._unsound)

    def forget(self) -> None:
        with self._lock:
            self._serving = self._spare = self._live = None
            self._looked_at, self._failures = float("-inf"), 0
            self._unsound.clear()

    def _look(self) -> Serving:
        live = ModelVersion.objects.live().values_list("pk", "live_since").first()
        is_late = time.monotonic() - self._found_unsound_at > TRY_AGAIN_AFTER
        if live != self._live or is_late:  # what was wrong may have been repaired
            self._live = live
            self._unsound.clear()
        live_id = live[0] if live else None
        if self._serving is None or (
            live_id != self._serving.version.pk and live_id not in self._unsound
        ):
            self._serve(self._load_first_sound(live_id))
        self._looked_at = time.monotonic()
        assert self._serving is not None
        return self._serving

    def _serve(self, serving: Serving) -> None:
        if serving is not self._serving:
            before = self._serving.version.name if self._serving else None
            metrics.note_serving(serving.version.name, before=before)
            self._serving, self._spare, self._failures = serving, self._serving, 0
            logger.info("model version %s (%s) serves", serving.version.pk, serving.version)

    def _load_first_sound(self, live_id: int | None) -> Serving:
        if live_id is not None and live_id not in self._unsound:
            try:
                return load_version(live_id)
            except UnsoundWeights as fault:
                self._give_up(live_id, str(fault))
        if self._serving is not None:
            return self._serving
        fallback = self._load_fallback()
        if fallback is None:
            raise NoModel("There is no usable model version. Run `manage.py install_base`.")
        return fallback

    def _load_fallback(self) -> Serving | None:
        """Load the last retired version that is sound."""
        before = ModelVersion.objects.retired().order_by("-live_since")
        for version_id in before.values_list("pk", flat=True)[:STEP_IN]:
            if version_id in self._unsound:
                continue
            try:
                return load_version(version_id)
            except UnsoundWeights as fault:
                self._note_unsound(version_id, str(fault))
                logger.error("model version %s cannot step in: %s", version_id, fault)
        return None

    def _read_with_another(
        self, glyphs: NDArray[np.uint8], failed: Serving, fault: UnsoundWeights
    ) -> Recognition:
        logger.error("model version %s fails: %s", failed.version.pk, fault)
        with self._lock:
            another = self._serving if self._serving is not failed else self._spare
            if another is None:
                another = self._spare = self._load_fallback()
        if another is None:
            raise NoModel("The model version fails, and there is no other.") from fault
        try:
            answer = Recognition(another.version, another.network.read(glyphs))
        except UnsoundWeights as both:  # both fail, so the version is not the cause
            raise NoModel("No model version can read this now.") from both
        with self._lock:
            self._note_failure(failed, another, fault)
        return answer

    def _note_failure(self, failed: Serving, another: Serving, fault: UnsoundWeights) -> None:
        if self._serving is not failed:  # another thread has given it up
            return
        self._failures += 1
        if self._failures >= FAILURES_IN_A_ROW:
            self._give_up(failed.version.pk, str(fault))
            self._serve(another)

    def _give_up(self, version_id: int, message: str) -> None:
        self._note_unsound(version_id, message)
        logger.error("model version %s does not serve: %s", version_id, message)
        note_fault(version_id, message)

    def _note_unsound(self, version_id: int, message: str) -> None:
        self._unsound[version_id] = message
        self._found_unsound_at = time.monotonic()


def note_fault(version_id: int, message: str) -> None:
    """Store the fault for other processes. If that fails, log it and let the request go on."""
    try:
        with transaction.atomic():
            ServingFault.objects.update_or_create(
                version_id=version_id,
                host=socket.gethostname()[:100],
                defaults={"message": message, "last_at": Moment(), "count": F("count") + 1},
                create_defaults={"message": message, "last_at": Moment()},
            )
    except DatabaseError as refused:
        logger.warning("the fault of model version %s is not noted: %s", version_id, refused)


def load_version(version_id: int) -> Serving:
    version = ModelVersion.objects.only("name").get(pk=version_id)
    canary = ModelVersion.objects.values_list("canary", flat=True).get(pk=version_id)
    return Serving(version, load(checked_content(version, Artifact.Kind.ONNX), canary=canary))


recognizer = Recognizer()
