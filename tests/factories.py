"""Plain makers of what tests need; the fact under test is named in the test."""

from __future__ import annotations

import base64
import hashlib
import io
import uuid
from datetime import datetime
from functools import cache
from typing import Any

import numpy as np
import onnx
from django.contrib.auth.models import Group, User
from django.utils import timezone
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw
from safetensors.numpy import save as save_safetensors

from predictions.glyphs.glyph import encode_glyph, glyph_digest
from predictions.models import Drawing, Feedback, ModelVersion, Prediction
from predictions.serving.registry import Bundle, register

# -- people ------------------------------------------------------------------------------------


def make_user(name: str = "ada", *, role: str | None = None, **fields: Any) -> User:
    user = User.objects.create_user(name, f"{name}@example.org", "correct-horse-battery", **fields)
    if role is not None:
        user.groups.add(Group.objects.get(name=role))
    return user


def make_ada() -> User:
    """Ada labels."""
    return make_user("ada", role="labeler")


def make_ben() -> User:
    """Ben administers."""
    return make_user("ben", role="admin", is_staff=True)


def make_cy() -> User:
    """Cy has no rights."""
    return make_user("cy")


# -- drawings ----------------------------------------------------------------------------------


def canvas(*lines: list[tuple[int, int]], size: int = 280, width: int = 20) -> Image.Image:
    """A drawing as the page makes it: dark ink on a transparent canvas."""
    image = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    for line in lines:
        pen.line(line, fill=(20, 20, 40, 255), width=width, joint="curve")
    return image


def a_seven() -> Image.Image:
    return canvas([(80, 60), (200, 60), (130, 220)])


def a_one() -> Image.Image:
    return canvas([(140, 50), (140, 230)])


def png(image: Image.Image | None = None) -> bytes:
    file = io.BytesIO()
    (image or a_seven()).save(file, "PNG")
    return file.getvalue()


def data_url(image: Image.Image | None = None) -> str:
    return "data:image/png;base64," + base64.b64encode(png(image)).decode()


def some_glyph(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (28, 28), dtype=np.uint8)


# -- model versions ------------------------------------------------------------------------------


@cache
def toy_onnx(favorite: int = 7, seed: int = 0, marked: int | None = None) -> bytes:
    """A linear network with the real inputs and outputs that nearly always says `favorite`.

    With `marked`, it says that to glyphs whose first pixel is white, and `favorite` where it is
    black.
    """
    weights = np.random.default_rng(seed).normal(0, 0.01, (784, 10)).astype(np.float32)
    if marked is not None:
        weights[0, marked] = 12.0
    bias = np.zeros(10, np.float32)
    bias[favorite] = 5.0
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["glyphs"], ["cast"], to=TensorProto.FLOAT),
            helper.make_node("Div", ["cast", "white"], ["scaled"]),
            helper.make_node("Reshape", ["scaled", "flat"], ["pixels"]),
            helper.make_node("Gemm", ["pixels", "weights", "bias"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
            helper.make_node("ReduceMin", ["probabilities", "axis"], ["strangeness"], keepdims=0),
        ],
        "toy",
        [helper.make_tensor_value_info("glyphs", TensorProto.UINT8, ["n", 28, 28])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 10]),
            helper.make_tensor_value_info("strangeness", TensorProto.FLOAT, ["n"]),
        ],
        [
            numpy_helper.from_array(np.float32(255.0), "white"),
            numpy_helper.from_array(np.array([-1, 784], np.int64), "flat"),
            numpy_helper.from_array(np.array([1], np.int64), "axis"),
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(bias, "bias"),
        ],
    )
    opsets = [helper.make_opsetid("", 18)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()


def make_bundle(
    name: str = "toy-1", *, favorite: int = 7, seed: int = 0, marked: int | None = None
) -> Bundle:
    from predictions.serving.network import Network, open_session

    content = toy_onnx(favorite, seed, marked)
    glyphs = np.stack([some_glyph(number) for number in range(10)])
    readings = Network(open_session(content)).read(glyphs)
    return Bundle(
        name=name,
        onnx=content,
        weights=save_safetensors({"weights": np.ones((2, 2), np.float32)}),
        canary={
            "glyphs": [base64.b64encode(glyph.tobytes()).decode() for glyph in glyphs],
            "probabilities": [reading.probabilities.tolist() for reading in readings],
        },
        card={"name": name},
    )


def make_version(
    name: str = "toy-1",
    *,
    state: str = ModelVersion.State.CANDIDATE,
    favorite: int = 7,
    marked: int | None = None,
) -> ModelVersion:
    version = register(make_bundle(name, favorite=favorite, marked=marked))
    if state != ModelVersion.State.CANDIDATE:
        since = timezone.now() if state == ModelVersion.State.LIVE else None
        ModelVersion.objects.filter(pk=version.pk).update(state=state, live_since=since)
        version.refresh_from_db()
    return version


def make_live(name: str = "toy-live", *, favorite: int = 7) -> ModelVersion:
    """Make this the one live version; whatever was live retires."""
    ModelVersion.objects.live().update(state=ModelVersion.State.RETIRED)
    return make_version(name, state=ModelVersion.State.LIVE, favorite=favorite)


# -- predictions ---------------------------------------------------------------------------------


def make_prediction(
    *,
    digit: int = 7,
    confidence: float = 0.9,
    version: ModelVersion | None = None,
    user: User | None = None,
    visitor: uuid.UUID | None = None,
    created_at: datetime | None = None,
    glyph: NDArray[np.uint8] | None = None,
    public_id: uuid.UUID | None = None,
    **fields: Any,
) -> Prediction:
    """A stored prediction with its drawing; every one has a glyph of its own unless told."""
    created_at = created_at or timezone.now()
    public_id = public_id or uuid.uuid4()
    if glyph is None:
        glyph = some_glyph(public_id.int % 2**32)
    prediction = Prediction.objects.create(
        public_id=public_id,
        version=version or ModelVersion.objects.live().first() or make_live(),
        digit=digit,
        confidence=confidence,
        probabilities=spread(digit, confidence),
        strangeness=0.0,
        glyph=encode_glyph(glyph),
        glyph_digest=uuid.UUID(glyph_digest(glyph)[:32]),
        user=user,
        visitor=visitor,
        created_at=created_at,
        day=timezone.localdate(created_at),
        **{"source": Prediction.Source.API, "audit_probability": 0.05, **fields},
    )
    Drawing.objects.create(prediction=prediction, png=png())
    return prediction


def spread(digit: int, confidence: float) -> list[float]:
    """Ten probabilities: the confidence on the digit, the rest shared evenly."""
    return [confidence if each == digit else (1 - confidence) / 9 for each in range(10)]


def make_feedback(prediction: Prediction, digit: int | None) -> Feedback:
    return Feedback.objects.create(prediction=prediction, digit=digit)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
