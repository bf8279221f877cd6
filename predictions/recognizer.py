"""Which network answers in this process: the live version, or the last good one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictions.errors import Declined
from predictions.models import Artifact, ModelVersion
from predictions.network import Network, Reading, UnsoundWeights, load

logger = logging.getLogger(__name__)

LOOK_EVERY = 0.5  # seconds between two looks at which version is live


class NoModel(Declined):
    """No model version that may serve is sound."""

    code = "no_model"


@dataclass(frozen=True, slots=True)
class Serving:
    """A version's network, ready to answer."""

    version: ModelVersion  # its name alone is loaded
    network: Network

    def read(self, glyph: NDArray[np.uint8]) -> Reading:
        return self.network.read(glyph[np.newaxis])[0]


class Recognizer:
    """Serves the live version; notices a promotion within LOOK_EVERY of the next request."""

    def __init__(self) -> None:
        self._serving: Serving | None = None
        self._looked_at = float("-inf")
        self._unsound: dict[int, str] = {}  # version id to what is wrong with it
        self._lock = threading.Lock()

    def serving(self) -> Serving:
        """The version that answers now; other threads go on with the old one while one looks."""
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
            self._serving, self._looked_at = None, float("-inf")
            self._unsound.clear()

    def _look(self) -> Serving:
        live_id = ModelVersion.objects.live().values_list("pk", flat=True).first()
        if self._serving is None or (
            live_id != self._serving.version.pk and live_id not in self._unsound
        ):
            self._serving = self._load_first_sound(live_id)
        self._looked_at = time.monotonic()
        return self._serving

    def _load_first_sound(self, live_id: int | None) -> Serving:
        for version_id in self._fallbacks(live_id):
            try:
                serving = load_version(version_id)
            except UnsoundWeights as fault:
                self._unsound[version_id] = str(fault)
                logger.error("model version %s does not serve: %s", version_id, fault)
                continue
            logger.info("model version %s (%s) serves", serving.version.pk, serving.version)
            return serving
        if self._serving is not None:
            return self._serving
        raise NoModel("No sound model version is there to answer. Run `manage.py install_base`.")

    def _fallbacks(self, live_id: int | None) -> Iterator[int]:
        """The live version first; on a fresh start with a bad one, those that were live before."""
        if live_id is not None and live_id not in self._unsound:
            yield live_id
        if self._serving is None:
            yield from (
                ModelVersion.objects.retired()
                .order_by("-live_since")
                .values_list("pk", flat=True)[:10]
            )


def load_version(version_id: int) -> Serving:
    version = ModelVersion.objects.only("name").get(pk=version_id)
    canary = ModelVersion.objects.values_list("canary", flat=True).get(pk=version_id)
    artifact = Artifact.objects.filter(version=version_id, kind=Artifact.Kind.ONNX).first()
    if artifact is None:
        raise UnsoundWeights(f"{version.name} has no weights for serving.")
    content = bytes(artifact.content)
    network = load(content, sha256=artifact.sha256, canary=canary)
    return Serving(version, network)


recognizer = Recognizer()
