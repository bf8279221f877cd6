"""manage.py predict: images from a disk, read in batches."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from predictions.models import Prediction
from predictions.serving.registry import install_base
from tests import hostile
from tests.factories import make_ada

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two sevens, one of them deeper, a blank sheet, and a file that is no image."""
    install_base()
    (tmp_path / "deep").mkdir()
    seven = hostile.encoded(hostile.seven())
    (tmp_path / "seven.png").write_bytes(seven)
    (tmp_path / "deep" / "another.PNG").write_bytes(seven)
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def predict(*words: object) -> tuple[int, str]:
    """The exit code, and what was written."""
    out = io.StringIO()
    try:
        call_command("predict", *map(str, words), stdout=out, stderr=io.StringIO())
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_a_folder_is_read_with_all_below_it_and_nothing_is_stored(folder: Path) -> None:
    code, said = predict(folder)
    assert code == 0
    assert [line.split()[1] for line in said.splitlines()] == ["7", "7"]
    assert not Prediction.objects.exists()


def test_what_is_refused_is_named_with_its_reason_and_the_rest_is_read(folder: Path) -> None:
    (folder / "blank.png").write_bytes(hostile.encoded(hostile.seven(ink=255)))
    code, said = predict(folder, folder / "notes.txt", "--csv")
    rows = {Path(row["file"]).name: row for row in csv.DictReader(io.StringIO(said))}
    assert code == 2
    assert rows["seven.png"]["digit"] == rows["another.PNG"]["digit"] == "7"
    assert "no ink" in rows["blank.png"]["refused"]
    assert [rows[name]["is_digit"] for name in ("seven.png", "blank.png")] == ["True", ""]
    assert "PNG, JPEG and WebP" in rows["notes.txt"]["refused"]


def test_stored_ones_belong_to_the_account_that_was_named(folder: Path) -> None:
    ada = make_ada()
    code, said = predict(folder / "seven.png", "--store", "--owner", "ada", "--json")
    (prediction,) = Prediction.objects.all()
    line = json.loads(said)
    assert code == 0
    assert line["id"] == str(prediction.public_id)
    assert line["digit"] == prediction.digit == 7
    assert line["is_digit"] is True
    assert prediction.user_id == ada.pk
    assert prediction.source == "batch"


def test_many_files_cost_a_few_queries_a_chunk(
    folder: Path, django_assert_max_num_queries: object
) -> None:
    seven = (folder / "seven.png").read_bytes()
    for number in range(130):
        (folder / f"{number}.png").write_bytes(seven)
    predict(folder / "seven.png")  # loads the network
    with django_assert_max_num_queries(20):  # type: ignore[operator]
        code, said = predict(folder, "--store", "--csv")
    assert code == 0
    assert len(said.splitlines()) == 1 + 132
    assert Prediction.objects.count() == 132


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["missing.png"], "There is no file or folder missing.png"),
        ([".ci"], "No image was found"),
        (["README.md", "--owner", "ada"], "needs --store"),
        (["README.md", "--store", "--owner", "nobody"], "no account 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_said(words: list[str], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        call_command("predict", *words)


def test_without_a_version_nothing_is_read(tmp_path: Path) -> None:
    from predictions.serving.recognizer import recognizer

    recognizer.forget()
    file = tmp_path / "seven.png"
    file.write_bytes(hostile.encoded(hostile.seven()))
    with pytest.raises(CommandError):
        call_command("predict", str(file))
