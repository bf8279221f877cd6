from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from django.core.management import CommandError, call_command
from numpy.typing import NDArray

from predictions.models import Artifact, ModelVersion
from training.engine import base, mnist
from training.engine.export import read_by
from training.engine.fit import Recipe
from training.engine.network import Reader
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


def test_it_is_less_sure_and_less_strange_by_what_was_chosen_on_peoples_strokes(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(name: str, warmer: float, less_strange: float) -> tuple[float, NDArray[np.float64]]:
        monkeypatch.setattr(base, "WARMER", warmer)
        monkeypatch.setattr(base, "LESS_STRANGE", less_strange)
        folder = data / name
        call_command("train_base", "--quick", "--into", str(folder), "--threads", "1")
        card = json.loads((folder / "card.json").read_text())
        served = (folder / "network.onnx").read_bytes()
        strange = read_by(served, written_digits(20, seed=9).glyphs)["strangeness"].astype(float)
        return card["temperature"], np.log(strange / (1 - strange))

    temperature, strange = made("plain", 1.0, 0.0)
    warmer, less = made("warmer", 1.5, 2.0)
    assert warmer == pytest.approx(1.5 * temperature)
    assert strange - less == pytest.approx(2.0, abs=1e-3)


def test_wider_teachers_are_trained_first_and_nothing_of_them_is_left(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = data / "made"
    call_command("train_base", "--quick", "--teachers", "2", "--into", str(made), "--threads", "1")
    said = capsys.readouterr().out
    assert [f"Teacher {number} of 2:" in said for number in (1, 2)] == [True, True]
    assert said.count("epoch  1 of 1") == 3
    assert "MB of memory at most" in said
    card = json.loads((made / "card.json").read_text())
    assert card["recipe"]["teachers"] == 2
    assert card["parameters"] == Reader().parameters_count
    assert not list((data / "checkpoints").iterdir())


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
