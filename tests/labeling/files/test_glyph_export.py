"""Settled labels out with their glyphs: every kind of file, read by those it is made for."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from numpy.typing import NDArray
from PIL import Image

from labeling.files import export
from labeling.files.formats.known import WRITERS
from labeling.files.formats.rows import Labeled
from labeling.models import Label
from predictions.glyphs.images import image_from_data_url
from tests.factories import make_ada, make_ben
from tests.labeling.collection import a_glyph, labeled_item, png_of, read_idx
from tests.labeling.door import Door, make_item

pytestmark = pytest.mark.django_db
EXPORT = "/api/v1/labels/export/"


@pytest.fixture
def ben() -> Door:
    return Door(make_ben())


@pytest.fixture
def labels() -> dict[str, Any]:
    """Three, an unreadable one and one that is not settled."""
    made = {f"{digit}": labeled_item(digit, seed, digit=3) for seed, digit in enumerate([7, 0, 3])}
    made["unreadable"] = labeled_item(None, 3)
    disputed = labeled_item(5, 4)
    Label.objects.filter(pk=disputed.pk).update(state=Label.State.DISPUTED)
    make_item(glyph=a_glyph(5))
    return made


def download(door: Door, query: str) -> bytes:
    answer = door.client.get(EXPORT + query)
    assert answer.status_code == 200, answer
    return b"".join(answer.streaming_content)


def unzipped(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def unpacked_into(folder: Path, content: bytes) -> list[str]:
    """Beside each other, as our own training looks for them."""
    files = unzipped(content)
    for name, each in files.items():
        (folder / Path(name).name).write_bytes(each)
    return list(files)


def concat(arrays: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    return np.concatenate(arrays)


class TestFiles:
    def test_numpy_opens_an_npz_without_pickles(self, ben: Door, labels: dict[str, Any]):
        with np.load(io.BytesIO(download(ben, "?format=npz")), allow_pickle=False) as arrays:
            images, digits, ids = arrays["images"], arrays["labels"], arrays["ids"]
        assert (images.dtype, images.shape, digits.dtype) == (np.uint8, (3, 28, 28), np.uint8)
        assert digits.tolist() == [7, 0, 3]
        assert [each.decode() for each in ids] == [str(labels[d].public_id) for d in "703"]
        assert np.array_equal(images, [a_glyph(seed) for seed in range(3)])

    @pytest.mark.parametrize("kind", ["idx", "idx-gz"])
    def test_idx_files_are_mnists_own(
        self, ben: Door, labels: dict[str, Any], kind: str, tmp_path: Path
    ):
        files = unpacked_into(tmp_path, download(ben, f"?format={kind}"))
        assert all(name.endswith(".gz") == (kind == "idx-gz") for name in files)
        images = [read_idx(tmp_path, f"{part}-images-idx3-ubyte") for part in ("train", "t10k")]
        digits = [read_idx(tmp_path, f"{part}-labels-idx1-ubyte") for part in ("train", "t10k")]
        there = dict(zip(concat(digits), concat(images), strict=True))
        assert len(there) == 3
        for seed, digit in enumerate([7, 0, 3]):
            assert np.array_equal(there[digit], a_glyph(seed))

    def test_torchvision_reads_all_four_files_as_they_lie(self, ben: Door, tmp_path: Path):
        from training.engine.vision import MNIST

        labeled_item(7, 0)
        labeled_item(4, 1, is_audit=True)
        labeled_item(9, 2, is_audit=True)
        with zipfile.ZipFile(io.BytesIO(download(ben, "?format=idx"))) as archive:
            archive.extractall(tmp_path)
        assert MNIST(tmp_path, train=True).targets.tolist() == [7]
        tested = MNIST(tmp_path, train=False)
        assert tested.targets.tolist() == [4, 9]
        assert np.array_equal(tested.data, [a_glyph(1), a_glyph(2)])

    def test_training_reads_them_as_it_reads_mnist(
        self, ben: Door, labels: dict[str, Any], tmp_path: Path
    ):
        from training.engine.data import mnist

        labeled_item(4, 5, is_audit=True)
        unpacked_into(tmp_path, download(ben, "?format=idx"))
        parts = [mnist(tmp_path, part) for part in ("train", "t10k")]
        assert [sorted(part.labels.tolist()) for part in parts] == [[0, 3, 7], [4]]

    def test_a_zip_has_a_folder_for_each_digit_and_an_index(
        self, ben: Door, labels: dict[str, Any]
    ):
        files = unzipped(download(ben, "?format=zip"))
        index = list(csv.DictReader(files.pop("index.csv").decode().splitlines()))
        assert set(files) == {f"{value}/{item.public_id}.png" for value, item in labels.items()}
        assert [row["file"] for row in index] == list(files)
        assert (index[0]["label"], index[0]["predicted"]) == ("7", "3")
        with Image.open(io.BytesIO(files[index[1]["file"]])) as opened:
            assert np.array_equal(np.asarray(opened), a_glyph(1))

    def test_label_studio_gets_tasks_with_what_people_and_the_model_said(
        self, ben: Door, labels: dict[str, Any]
    ):
        seven, _, _, unreadable = json.loads(download(ben, "?format=label-studio"))
        assert image_from_data_url(seven["data"]["image"]) == png_of(0)
        (annotation,), (prediction,) = seven["annotations"], seven["predictions"]
        assert annotation["result"][0]["value"] == {"choices": ["7"]}
        assert annotation["result"][0]["type"] == "choices"
        assert prediction["result"][0]["value"] == {"choices": ["3"]}
        assert (prediction["score"], prediction["model_version"]) == (0.9, "toy-live")
        assert unreadable["annotations"][0]["result"][0]["value"] == {"choices": ["unreadable"]}

    @pytest.mark.parametrize("kind", WRITERS)
    def test_an_export_of_nothing_is_a_whole_file(self, ben: Door, kind: str):
        content = download(ben, f"?format={kind}")
        if kind == "label-studio":
            assert json.loads(content) == []
        elif kind == "npz":
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                assert arrays["images"].shape == (0, 28, 28)
        else:
            assert unzipped(content)


class TestChoosing:
    def test_what_was_misread_can_be_asked_for_alone(self, ben: Door, labels: dict[str, Any]):
        files = unzipped(download(ben, "?format=zip&wrong=true"))
        assert {name[0] for name in files} == {"7", "0", "i"}  # and the index
        assert len(download(ben, "?wrong=true").splitlines()) == 1 + 2

    def test_it_is_narrowed_by_what_is_offered(self, ben: Door, labels: dict[str, Any]):
        assert len(json.loads(download(ben, "?format=label-studio&digit=7"))) == 1
        assert json.loads(download(ben, "?format=label-studio&is_audit=true")) == []

    @pytest.mark.parametrize("query", ["state=disputed", "after=", "format=npy"])
    def test_what_an_archive_cannot_do_is_refused(
        self, ben: Door, labels: dict[str, Any], query: str
    ):
        query = query.replace("after=", f"after={labels['7'].public_id}")
        answer = ben.client.get(f"{EXPORT}?format=npz&{query}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid")

    def test_labelers_get_none(self, labels: dict[str, Any]):
        assert Door(make_ada()).client.get(EXPORT + "?format=npz").status_code == 403


class TestTheCommand:
    @pytest.mark.parametrize("kind", WRITERS)
    def test_it_writes_what_the_download_has(
        self, ben: Door, labels: dict[str, Any], kind: str, tmp_path: Path
    ):
        file = tmp_path / "out"
        call_command("export_labels", format=kind, output=file)
        assert file.read_bytes() == download(ben, f"?format={kind}")

    def test_an_archive_does_not_go_on_after_an_id(self, labels: dict[str, Any], tmp_path: Path):
        with pytest.raises(CommandError, match="Only csv"):
            call_command(
                "export_labels", format="zip", output=tmp_path / "x", after=labels["7"].public_id
            )


@pytest.mark.parametrize("kind", ["npz", "idx", "idx-gz", "label-studio"])
def test_memory_is_flat(kind: str, monkeypatch: Any):
    """What is held at once does not grow with the labels: 8 times as many, at most a tenth more."""
    label = Labeled(
        id=labeled_item(7).public_id, digit=7, glyph=png_of(0), predicted=7, confidence=0.9,
        model="toy", drawn_at=Label.objects.get().event.created_at,
        labeled_at=Label.objects.get().event.created_at, is_audit=False,
    )  # fmt: skip

    def peak(count: int) -> int:
        tracemalloc.start()
        for piece in WRITERS[kind].write(label for _ in range(count)):
            assert piece is not None
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held

    peak(10)
    # Beyond the piece of a megabyte in which everything is read and handed on.
    assert peak(16_000) < 1.1 * peak(2_000) + 1_500_000


def test_pages_follow_each_other_without_gap_or_repeat(monkeypatch: Any):
    monkeypatch.setattr(export, "GLYPHS_AT_ONCE", 2)
    made = [labeled_item(digit, digit).public_id for digit in range(5)]
    assert [label.id for label in export.with_glyphs()] == made
