from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from predictions.models import ModelVersion
from tests.factories import make_live

SEVENS, NINES = 30, 10


@pytest.fixture
def data(tmp_path: Path, settings: Any) -> Path:
    settings.DATA_DIR = tmp_path
    settings.MNIST_DIR = tmp_path / "mnist"
    return tmp_path


@pytest.fixture
def small_test_set(data: Path) -> Path:
    """Forty digits in MNIST's place, three in four of them sevens."""
    folder = data / "mnist"
    folder.mkdir()
    count = SEVENS + NINES
    glyphs = np.random.default_rng(0).integers(0, 256, (count, 28, 28), dtype=np.uint8)
    images = struct.pack(">4I", 0x803, count, 28, 28) + glyphs.tobytes()
    labels = struct.pack(">2I", 0x801, count) + bytes([7] * SEVENS + [9] * NINES)
    (folder / "t10k-images-idx3-ubyte").write_bytes(images)
    (folder / "t10k-labels-idx1-ubyte").write_bytes(labels)
    return folder


def test_a_version_that_says_seven_is_right_about_the_sevens(
    db: None, small_test_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_live()  # a toy network that nearly always says seven
    call_command("evaluate", "--json")
    said = json.loads(capsys.readouterr().out)
    judged = said["reports"]["MNIST test set"]
    assert judged["accuracy"]["n"] == SEVENS + NINES
    assert judged["by_digit"][7]["value"] == 1.0
    assert judged["confusion"][9][7] == NINES
    low, high = judged["accuracy"]["interval"]
    assert low < SEVENS / (SEVENS + NINES) < high


def test_strokes_are_rendered_and_read_three_times(
    db: None, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_live()
    path = data / "strokes.jsonl"
    line = {"label": 7, "strokes": [[[0, 0], [60, 0], [20, 100]]], "y_up": False, "writer": "a"}
    path.write_text(json.dumps(line) + "\n")
    call_command("evaluate", "--strokes", str(path))
    out = capsys.readouterr().out
    assert [f"rendering {seed}" in out for seed in range(4)] == [True, True, True, False]


def test_with_nothing_to_judge_by_it_says_so(
    db: None, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_live()
    call_command("evaluate")
    assert "nothing to judge by" in capsys.readouterr().out


def test_a_version_that_does_not_exist_is_refused(db: None, data: Path) -> None:
    with pytest.raises(CommandError, match="no version ghost"):
        call_command("evaluate", "ghost")
    assert not ModelVersion.objects.exists()


def test_a_file_of_strokes_that_does_not_exist_is_refused(db: None, data: Path) -> None:
    make_live()
    with pytest.raises(CommandError, match="no file"):
        call_command("evaluate", "--strokes", str(data / "none.jsonl"))
