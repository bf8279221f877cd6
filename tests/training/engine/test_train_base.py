from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from django.core.management import CommandError, call_command

from predictions.models import Artifact, ModelVersion
from training.engine import base, mnist
from training.engine.fit import Recipe
from training.engine.strokes import written_digits

TINY = Recipe(epochs=2, batch_size=16, written=20, strangers=8, validation=10)


@pytest.fixture
def data(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with sixty digits in MNIST's place, and a recipe of their size."""
    settings.DATA_DIR = tmp_path
    settings.MNIST_DIR = tmp_path / "mnist"
    folder = tmp_path / "mnist"
    folder.mkdir()
    for part, count in (("train", 40), ("t10k", 20)):
        digits = written_digits(count, seed=count)
        images = struct.pack(">4I", 0x803, count, 28, 28) + digits.glyphs.numpy().tobytes()
        labels = struct.pack(">2I", 0x801, count) + bytes(digits.labels.tolist())
        (folder / f"{part}-images-idx3-ubyte").write_bytes(images)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(labels)
    digests = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()
    }
    monkeypatch.setattr(mnist, "SHA256", digests)
    monkeypatch.setattr(base, "FULL", TINY)
    monkeypatch.setattr(base, "QUICK", replace(TINY, epochs=1))
    return tmp_path


def test_a_base_version_is_trained_and_registered_as_a_candidate(
    db: None, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("train_base", "--name", "ours", "--threads", "1")
    version = ModelVersion.objects.get(name="ours")
    assert version.state == ModelVersion.State.CANDIDATE
    assert version.card["recipe"]["epochs"] == 2
    assert version.card["metrics"]["mnist_test"]["accuracy"]["n"] == 20
    stored = {a.kind: a.sha256 for a in Artifact.objects.filter(version=version)}
    assert set(version.card["sha256"].values()) == set(stored.values())
    out = capsys.readouterr().out
    assert "epoch  1 of 2" in out
    assert "epoch  2 of 2" in out
    assert not list((data / "checkpoints").iterdir())


def test_the_same_seed_gives_the_same_weights(db: None, data: Path) -> None:
    def weights(name: str, seed: int) -> str:
        call_command("train_base", "--quick", "--name", name, "--seed", seed, "--threads", "1")
        return Artifact.objects.get(version__name=name, kind="safetensors").sha256

    assert weights("a", seed=0) == weights("b", seed=0)
    assert weights("c", seed=1) != weights("a2", seed=0)


def test_files_can_be_written_without_a_database(data: Path) -> None:
    made = str(data / "made")
    call_command("train_base", "--quick", "--name", "ours", "--into", made, "--threads", "1")
    card = json.loads((data / "made" / "card.json").read_text())
    assert card["name"] == "ours"
    assert card["made_with"]["torch"] == torch.__version__
    assert card["made_with"]["threads"] == 1
    content = (data / "made" / "network.onnx").read_bytes()
    assert hashlib.sha256(content).hexdigest() == card["sha256"]["network.onnx"]


def test_a_name_that_is_taken_is_refused(db: None, data: Path) -> None:
    call_command("train_base", "--quick", "--name", "ours", "--threads", "1")
    with pytest.raises(CommandError, match="already"):
        call_command("train_base", "--quick", "--name", "ours", "--threads", "1")
