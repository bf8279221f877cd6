"""The network that answers: ONNX Runtime on weights whose digest and canary were checked."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from predictions.errors import Declined

GLYPHS_INPUT = "glyphs"
OUTPUTS = ["probabilities", "strangeness"]
FEATURES = "features"
CANARY_TOLERANCE = 1e-4


class UnsoundWeights(Declined):
    """The weights are not the ones that were registered, or do not work."""

    code = "unsound_weights"


class WeightsMissing(UnsoundWeights):
    """The version has no weights of this kind."""


class WeightsAltered(UnsoundWeights):
    """The digest of the weights is not the registered one."""


class Reading(NamedTuple):
    """What the network says about one glyph."""

    digit: int
    confidence: float
    probabilities: NDArray[np.float32]  # (10,), sums to 1
    strangeness: float  # 0 surely a digit, 1 surely none


@dataclass(frozen=True, slots=True)
class Network:
    session: Any

    def run(self, glyphs: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """One forward pass over (N, 28, 28): probabilities (N, 10) and strangeness (N,)."""
        try:
            probabilities, strangeness = self.session.run(OUTPUTS, {GLYPHS_INPUT: glyphs})
        except Exception as broken:  # ONNX Runtime's exceptions share no base but Exception
            raise UnsoundWeights(f"The network fails: {type(broken).__name__}.") from broken
        if not (np.isfinite(probabilities).all() and np.isfinite(strangeness).all()):
            raise UnsoundWeights("The network's answer is not a number.")
        return probabilities, strangeness

    def features(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the network's internal features of glyphs, (N, 28, 28): (N, features)."""
        if FEATURES not in [given.name for given in self.session.get_outputs()]:
            raise UnsoundWeights("The network does not give its features.")
        try:
            features: NDArray[np.float32] = self.session.run([FEATURES], {GLYPHS_INPUT: glyphs})[0]
        except Exception as broken:  # ONNX Runtime's exceptions share no base but Exception
            raise UnsoundWeights(f"The network fails: {type(broken).__name__}.") from broken
        return features

    def read(self, glyphs: NDArray[np.uint8]) -> list[Reading]:
        """Return the reading of each glyph, (N, 28, 28)."""
        probabilities, strangeness = self.run(glyphs)
        digits = probabilities.argmax(axis=1).tolist()
        return [
            Reading(digit, float(row[digit]), row, strange)
            for digit, row, strange in zip(digits, probabilities, strangeness.tolist(), strict=True)
        ]


def load(onnx: bytes, *, canary: dict[str, Any]) -> Network:
    """Load a network and check that it gives the outputs that were stored at registration."""
    network = Network(open_session(onnx))
    check_shapes(network)
    check_canary(network, canary)
    return network


def open_session(onnx: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the web server already runs requests in parallel
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # an arena keeps the memory of the largest batch seen
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    except Exception as broken:  # ONNX Runtime's exceptions share no base but Exception
        raise UnsoundWeights(f"The weights cannot be loaded: {type(broken).__name__}.") from broken


def check_shapes(network: Network) -> None:
    takes = [(given.name, given.type, given.shape[1:]) for given in network.session.get_inputs()]
    gives = {given.name: given.shape[1:] for given in network.session.get_outputs()}
    if takes != [(GLYPHS_INPUT, "tensor(uint8)", [28, 28])]:
        raise UnsoundWeights(f"The network takes {takes}, not glyphs.")
    if gives.get("probabilities") != [10] or gives.get("strangeness") != []:
        raise UnsoundWeights(f"The network gives {gives}, not ten probabilities and a strangeness.")


def check_canary(network: Network, canary: dict[str, Any]) -> None:
    """Stored inputs must give the stored outputs; this finds faults that a digest cannot."""
    try:
        glyphs = np.stack([glyph_from_base64(text) for text in canary["glyphs"]])
        expected = np.asarray(canary["probabilities"], dtype=np.float32)  # (N, 10)
    except (KeyError, TypeError, ValueError) as broken:
        raise UnsoundWeights("The network's stored answers cannot be read.") from broken
    got, _ = network.run(glyphs)
    # "not <=" instead of ">", so that NaN fails too.
    if got.shape != expected.shape or not np.abs(got - expected).max() <= CANARY_TOLERANCE:
        raise UnsoundWeights(
            "The network no longer gives the answers stored when it was registered."
        )


def glyph_from_base64(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(28, 28)
