from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from django.test import Client
from safetensors.numpy import save as save_safetensors

from predictions.models import Artifact, ModelVersion
from predictions.serving.network import UnsoundWeights, load
from predictions.serving.recognizer import NoModel, Recognizer
from predictions.serving.registry import register
from tests.factories import make_bundle, make_live, make_version, some_glyph, toy_onnx

pytestmark = pytest.mark.django_db


@pytest.fixture
def recognizer(monkeypatch: pytest.MonkeyPatch) -> Recognizer:
    """One process's recognizer that looks for a promotion at each request."""
    monkeypatch.setattr("predictions.serving.recognizer.LOOK_EVERY", 0)
    return Recognizer()


def damage(version: ModelVersion, content: bytes, *, keep_digest: bool = True) -> None:
    artifact = version.artifacts.get(kind=Artifact.Kind.ONNX)
    artifact.content = content
    if not keep_digest:
        artifact.sha256 = hashlib.sha256(content).hexdigest()
    artifact.save()


def flip_a_bit(content: bytes) -> bytes:
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def test_the_live_version_answers(recognizer: Recognizer):
    make_version("candidate", favorite=3)
    make_live("live", favorite=7)
    serving = recognizer.serving()
    assert serving.version.name == "live"
    assert serving.read(some_glyph()).digit == 7


def test_without_any_version_it_says_so(recognizer: Recognizer):
    with pytest.raises(NoModel):
        recognizer.serving()


def test_a_promotion_is_noticed(recognizer: Recognizer):
    make_live("old", favorite=7)
    assert recognizer.serving().version.name == "old"
    make_live("new", favorite=3)
    assert recognizer.serving().version.name == "new"


def test_between_looks_no_query_is_asked(django_assert_num_queries: Any):
    make_live()
    recognizer = Recognizer()
    recognizer.serving()
    with django_assert_num_queries(0):
        recognizer.serving()


@pytest.mark.parametrize("keep_digest", [True, False])
@pytest.mark.parametrize(
    "content", [flip_a_bit(toy_onnx()), toy_onnx()[:-50], b"", b"no network", toy_onnx(favorite=1)]
)
def test_the_last_good_version_serves_on_when_the_new_one_is_unsound(
    recognizer: Recognizer, content: bytes, keep_digest: bool
):
    make_live("good", favorite=7)
    recognizer.serving()
    bad = make_live("bad", favorite=3)
    damage(bad, content, keep_digest=keep_digest)
    assert recognizer.serving().version.name == "good"
    assert bad.pk in recognizer.faults()


def test_a_fresh_process_with_an_unsound_live_version_serves_the_one_before(
    recognizer: Recognizer,
):
    make_live("good")
    damage(make_live("bad"), b"broken")
    assert recognizer.serving().version.name == "good"


def test_what_was_given_up_is_tried_again_after_a_while(
    recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
):
    make_live("good")
    bad = make_live("bad", favorite=3)
    damage(bad, b"broken")
    assert recognizer.serving().version.name == "good"
    damage(bad, toy_onnx(favorite=3))
    assert recognizer.serving().version.name == "good"
    monkeypatch.setattr("predictions.serving.recognizer.TRY_AGAIN_AFTER", -1)
    assert recognizer.serving().version.name == "bad"
    assert recognizer.faults() == {}


def test_weights_that_disagree_with_the_canary_do_not_load():
    bundle = make_bundle(favorite=7)
    other = toy_onnx(favorite=7, seed=1)  # sound, but not what was registered
    with pytest.raises(UnsoundWeights, match="no longer gives the answers stored"):
        load(other, canary=bundle.canary)


def test_weights_that_are_not_finite_are_not_registered():
    bundle = make_bundle()
    for poison in (np.nan, np.inf):
        weights = save_safetensors({"weights": np.array([1, poison], np.float32)})
        with pytest.raises(UnsoundWeights, match="not finite"):
            register(replace(bundle, weights=weights))
    assert not ModelVersion.objects.exists()


def test_health_says_that_another_version_serves(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("predictions.serving.recognizer.LOOK_EVERY", 0)
    make_live("good")
    assert client.get("/readyz").json()["parts"]["model"]["state"] == "ok"
    damage(make_live("bad"), b"broken")
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["parts"]["model"]["state"] == "degraded"


def test_health_is_503_without_a_model(client: Client):
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["state"] == "failed"
    assert client.get("/healthz").status_code == 200
