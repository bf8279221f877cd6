"""Export a trained network: safetensors, ONNX and canary."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor

from training.engine.data import Digits
from training.engine.fit import as_images
from training.engine.network import Convolution, RawOutput, Reader

TOLERANCE = 1e-4
OPSET = 17
TEMPERATURE = "temperature"  # its name among the tensors


class Unequal(ValueError):
    """The exported network's output differs from the trained one's."""


def weights_of(network: Reader, temperature: float) -> bytes:
    """The network as safetensors, with its temperature as a tensor."""
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    return save_safetensors(tensors | {TEMPERATURE: torch.tensor(temperature)})


def network_from(weights: bytes) -> tuple[Reader, float]:
    """Load the network and its temperature from safetensors."""
    tensors = load_safetensors(weights)
    temperature = float(tensors.pop(TEMPERATURE))
    network = Reader()
    network.load_state_dict(tensors)
    return network.eval(), temperature


def onnx_of(network: Reader, temperature: float) -> bytes:
    """The serving graph: bytes in, probabilities out, batch norms folded into convolutions."""
    graph = _Graph()
    graph.node("Unsqueeze", "glyphs", graph.constant("channel", np.array([1])), out="bytes")
    graph.node("Cast", "bytes", out="images", to=TensorProto.FLOAT)
    last = "images"
    for index, layer in enumerate([*network.convolutions, network.whole]):
        assert isinstance(layer, Convolution)
        weight, bias = (tensor.detach().cpu() for tensor in layer.folded())
        weight = weight / 255 if index == 0 else weight  # glyphs are bytes from 0 to 255
        whole = layer is network.whole  # covers the whole input, so it is a matrix product
        weight = weight.flatten(1) if whole else weight
        parts = [graph.constant(f"w{index}", weight), graph.constant(f"b{index}", bias)]
        if whole:
            graph.node("Flatten", last, out="flat")
            graph.node("Gemm", "flat", *parts, out=f"sum{index}", transB=1)
        else:
            padding, stride = layer.conv.padding[0], layer.conv.stride[0]
            shape = {"pads": [padding] * 4, "strides": [stride] * 2}
            graph.node("Conv", last, *parts, out=f"sum{index}", **shape)
        last = "features" if whole else f"x{index}"
        graph.node("Relu", f"sum{index}", out=last)
    graph.linear("features", network.digits, "logits", 1 / temperature)
    graph.node("Softmax", "logits", out="probabilities", axis=1)
    graph.linear("features", network.stranger, "column")
    graph.node("Sigmoid", "column", out="likely")
    graph.node("Squeeze", "likely", graph.constant("one", np.array([1])), out="strangeness")
    return graph.model(features=network.digits.in_features)


class _Graph:
    """Collects the nodes and constants of a graph."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, kind: str, *inputs: str, out: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, list(inputs), [out], name=out, **attributes))

    def constant(self, name: str, value: Tensor | NDArray[Any]) -> str:
        array = value.numpy() if isinstance(value, Tensor) else value
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def linear(self, source: str, layer: torch.nn.Linear, out: str, scale: float = 1.0) -> None:
        weight = self.constant(f"{out}.weight", layer.weight.detach().cpu() * scale)
        bias = self.constant(f"{out}.bias", layer.bias.detach().cpu() * scale)
        self.node("Gemm", source, weight, bias, out=out, transB=1)

    def model(self, features: int) -> bytes:
        many: dict[str, list[str | int | None]] = {
            "probabilities": ["N", 10],
            "strangeness": ["N"],
            "features": ["N", features],
        }
        graph = helper.make_graph(
            self.nodes,
            "reader",
            [helper.make_tensor_value_info("glyphs", TensorProto.UINT8, ["N", 28, 28])],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in many.items()],
            self.constants,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="inkloop")
        model.ir_version = 8  # also read by ONNX Runtimes several years old
        onnx.checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString(deterministic=True)
        return content


def session_of(content: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def read_by(content: bytes, glyphs: Tensor, size: int = 1000) -> dict[str, NDArray[np.float32]]:
    """Every output of the served network for glyphs of (N, 1, 28, 28) uint8."""
    session = session_of(content)
    names = [output.name for output in session.get_outputs()]
    array = glyphs[:, 0].cpu().numpy()
    parts = [
        session.run(names, {"glyphs": array[start : start + size]})
        for start in range(0, len(array), size)
    ]
    columns = zip(*parts, strict=True)
    return {name: np.concatenate(c) for name, c in zip(names, columns, strict=True)}


def raw_outputs(network: Reader, digits: Digits, size: int = 1000) -> RawOutput:
    """Logits, strangeness logits and features of the network itself, in full precision."""
    device = next(network.parameters()).device
    network.eval()
    with torch.no_grad():
        parts = [network(as_images(part.glyphs, device)) for part in digits.batches(size)]
    return RawOutput(*(torch.cat(column).cpu() for column in zip(*parts, strict=True)))


def prove_equal(network: Reader, temperature: float, content: bytes, digits: Digits) -> float:
    """The largest difference of served and trained network; raises Unequal above TOLERANCE."""
    answer = raw_outputs(network, digits)
    served = read_by(content, digits.glyphs)
    difference = max(
        np.abs(served["probabilities"] - (answer.logits / temperature).softmax(1).numpy()).max(),
        np.abs(served["strangeness"] - answer.strangeness.sigmoid().numpy()).max(),
    )
    if not difference <= TOLERANCE:  # also true for NaN
        raise Unequal(f"ONNX differs from torch by {difference:.2g}, {TOLERANCE:.0e} is allowed.")
    return float(difference)


def canary_of(content: bytes, digits: Digits) -> dict[str, Any]:
    """One glyph of each digit, with the served network's probabilities."""
    places = [(digits.labels == digit).nonzero() for digit in range(10)]
    glyphs = digits.glyphs[torch.stack([place[0, 0] for place in places if len(place)])]
    probabilities = read_by(content, glyphs)["probabilities"]
    return {
        "glyphs": [base64.b64encode(glyph.numpy().tobytes()).decode() for glyph in glyphs],
        "probabilities": probabilities.tolist(),
        "tolerance": TOLERANCE,
    }
