"""Images in through the API and the page: who may, how many, and what comes of it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from labeling.files import imports
from labeling.models import Batch, Label
from predictions.models import ModelVersion, Prediction
from predictions.serving.registry import install_base
from tests.factories import make_ada, make_ben, make_cy, make_live, make_user
from tests.labeling.collection import a_glyph, idx_images, idx_labels, png_of, zip_of
from tests.labeling.door import Door

pytestmark = pytest.mark.django_db
IMPORT = "/api/v1/labels/import/"
PAGE = "/label/import/"


@pytest.fixture(autouse=True)
def _a_model(db: None) -> None:
    make_live()


@pytest.fixture
def ben() -> Client:
    return Door(make_ben()).client


def upload(content: bytes, name: str = "x.zip") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


@pytest.fixture
def three(tmp_path: Path) -> bytes:
    """Two labeled images and one that lies in no digit's folder."""
    files = {"7/a.png": png_of(0), "unlabeled/b.png": png_of(1), "odd/c.png": png_of(2)}
    return zip_of(files, tmp_path / "x.zip").read_bytes()


class TestTheEndpoint:
    def test_a_file_comes_in_as_one_batch_which_is_taken_back(self, ben: Client, three: bytes):
        told = ben.post(IMPORT, {"file": upload(three)}).json()
        assert (told["taken"], told["labeled"], told["refused"]) == (2, 1, 1)
        assert told["refusals"][0]["name"] == "x.zip/odd/c.png"
        assert Label.objects.get().digit == 7
        undone = ben.post(f"/api/v1/labels/batches/{told['batch']}/undo/")
        assert undone.json() == {"undone": 1}
        assert not Label.objects.exists()

    def test_a_dry_run_changes_nothing(self, ben: Client, three: bytes):
        told = ben.post(IMPORT, {"file": upload(three), "dry_run": "true"}).json()
        assert (told["taken"], told["batch"]) == (2, None)
        assert not Prediction.objects.exists()

    def test_sent_again_under_its_key_it_is_not_done_again(self, ben: Client, three: bytes):
        headers = {"Idempotency-Key": "import-number-one"}
        first = ben.post(IMPORT, {"file": upload(three)}, headers=headers)
        again = ben.post(IMPORT, {"file": upload(three)}, headers=headers)
        assert again.json() == first.json()
        assert again["Idempotent-Replayed"] == "true"
        assert Batch.objects.count() == 1

    def test_more_than_a_person_waits_for_is_refused_whole(
        self, ben: Client, three: bytes, monkeypatch: Any
    ):
        monkeypatch.setattr(imports, "UPLOAD_MOST", 2)
        answer = ben.post(IMPORT, {"file": upload(three)})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many")
        assert "import_digits" in answer.json()["error"]["message"]
        assert not Prediction.objects.exists()

    @pytest.mark.parametrize("content", [b"\x7fELF\0\0\0\0", b""])
    def test_what_is_no_such_file_is_refused(self, ben: Client, content: bytes):
        answer = ben.post(IMPORT, {"file": upload(content, "x")})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_file")
        assert ben.post(IMPORT, {"file": "text"}).status_code == 400

    def test_a_file_that_is_refused_whole_is_no_success(self, ben: Client, tmp_path: Path):
        odd = zip_of({"odd/a.png": png_of(0), "odd/b.png": png_of(1)}, tmp_path / "x.zip")
        for dry_run in (False, True):
            answer = ben.post(IMPORT, {"file": upload(odd.read_bytes()), "dry_run": dry_run})
            said = answer.json()["error"]
            assert (answer.status_code, said["code"]) == (422, "bad_file")
            assert "Nothing was imported, 2 refused. x.zip/odd/a.png: it lies" in said["message"]
        empty = ben.post(IMPORT, {"file": upload(zip_of({}, tmp_path / "e.zip").read_bytes())})
        assert (empty.status_code, "no image" in empty.json()["error"]["message"]) == (422, True)
        assert not Batch.objects.exists()

    def test_a_file_of_which_all_is_here_is_one(self, ben: Client, three: bytes):
        ben.post(IMPORT, {"file": upload(three)})
        again = ben.post(IMPORT, {"file": upload(three)})
        assert (again.status_code, again.json()["already"]) == (200, 2)

    @pytest.mark.parametrize(
        ("arrays", "word"),
        [
            ({"data": np.zeros((2, 28, 28), np.uint8), "target": np.zeros(2, np.uint8)},
             "The npz holds data, target. Images are looked for in images (their labels in"),
            ({"images": np.zeros((2, 28, 28)), "labels": np.zeros(2, np.uint8)},
             "N×28×28 of uint8, 0 for paper and 255 for ink, not (2, 28, 28) of float64. Multiply"),
            ({"images": np.zeros((2, 784), np.uint8)}, "not (2, 784) of uint8"),
            ({"images": np.zeros((2, 28, 28), np.uint8, order="F")}, "stored by columns"),
            ({"images": np.zeros((2, 28, 28), np.uint8), "labels": np.array(["7", "0"])},
             "The labels must be 2 whole numbers, not (2,) of <U1"),
        ],
    )  # fmt: skip
    def test_an_npz_of_other_arrays_is_told_what_is_read(
        self, ben: Client, arrays: dict[str, Any], word: str
    ):
        file = io.BytesIO()
        np.savez(file, **arrays)
        answer = ben.post(IMPORT, {"file": upload(file.getvalue(), "x.npz")})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_file")
        assert word in answer.json()["error"]["message"]

    def test_larger_ones_lie_on_a_disk_and_are_read_alike(self, ben: Client, tmp_path: Path):
        glyphs = [a_glyph(seed % 9) for seed in range(900)]
        noise = "".join(f'{{"data": "{at}"}},' for at in range(900))
        path = zip_of({}, tmp_path / "x.zip")
        import zipfile

        with zipfile.ZipFile(path, "w") as archive:  # stored: beyond what is held in memory
            archive.writestr("a-images-idx3-ubyte", idx_images(glyphs * 4, count=900))
            archive.writestr("a-labels-idx1-ubyte", idx_labels([seed % 9 for seed in range(900)]))
        assert path.stat().st_size > 2_621_440
        told = ben.post(IMPORT, {"file": upload(path.read_bytes())}).json()
        assert (told["taken"], told["labeled"], told["already"]) == (9, 9, 891)
        text = ("[" + noise + "1]" + " " * 3_000_000).encode()
        refused = ben.post(IMPORT, {"file": upload(text, "x.json")}).json()["error"]["message"]
        assert "901 refused" in refused

    def test_only_who_may_correct_in_bulk_may(self, three: bytes):
        for user, status in ((make_ada(), 403), (make_cy(), 403), (None, 401),
                             (make_user("rita", role="reviewer"), 403)):  # fmt: skip
            assert Door(user).client.post(IMPORT, {"file": upload(three)}).status_code == status
        assert not Prediction.objects.exists()


class TestThePage:
    def test_the_page_says_what_came_in_and_what_was_refused(self, ben: Client, three: bytes):
        assert b'type="file"' in ben.get(PAGE).content
        answer = ben.post(PAGE, {"file": upload(three)}, follow=True)
        assert answer.redirect_chain == [(PAGE, 302)]
        page = answer.content.decode()
        assert "2 images taken in, 1 labels, 0 here already, 1 refused." in page
        assert "x.zip/odd/c.png: it lies in no folder" in page

    def test_an_import_is_undone_where_it_was_made(self, ben: Client, three: bytes):
        page = ben.post(PAGE, {"file": upload(three)}, follow=True).content.decode()
        batch = Batch.objects.get()
        assert f'name="batch" value="{batch.pk}"' in page
        page = ben.post(PAGE, {"batch": str(batch.pk)}, follow=True).content.decode()
        assert "Undone: 1 labels are as they were." in page
        assert f'value="{batch.pk}"' not in page
        assert not Label.objects.exists()

    def test_only_an_import_is_undone_there(self, ben: Client, three: bytes):
        other = Batch.objects.create(kind=Batch.Kind.CORRECTION)
        ben.post(PAGE, {"batch": str(other.pk)})
        other.refresh_from_db()
        assert other.undone_at is None

    def test_a_dry_run_and_a_refusal_come_back_to_the_page(self, ben: Client, three: bytes):
        answer = ben.post(PAGE, {"file": upload(three), "dry_run": "on"}, follow=True)
        assert "Nothing was changed. It would be: 2 images" in answer.content.decode()
        answer = ben.post(PAGE, {"file": upload(b"\0\1\2", "x")}, follow=True)
        assert "This file format is not supported" in answer.content.decode()
        assert not Prediction.objects.exists()

    def test_the_sample_can_be_imported_as_it_is(self, ben: Client):
        ModelVersion.objects.all().delete()
        install_base()
        sample = ben.get(PAGE + "sample.zip")
        assert sample["Content-Type"] == "application/zip"
        ben.post(PAGE, {"file": upload(sample.content)})
        assert Label.objects.settled().count() == Prediction.objects.count() == 10

    def test_who_may_not_correct_gets_nothing(self, three: bytes):
        rita = Door(make_user("rita", role="reviewer", is_staff=True)).client
        for path in (PAGE, PAGE + "sample.zip"):
            assert rita.get(path).status_code == 403
        assert rita.post(PAGE, {"file": upload(three)}).status_code == 403
        assert b"Import images" not in rita.get("/admin/labeling/batch/").content

    def test_the_lists_lead_to_export_and_import(self, ben: Client):
        page = ben.get("/admin/labeling/label/").content.decode()
        for kind in ("csv", "npz", "idx", "label-studio"):
            assert f"/api/v1/labels/export/?format={kind}" in page
        assert PAGE in ben.get("/admin/labeling/batch/").content.decode()
