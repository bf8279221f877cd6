"""Images in, from every kind of file: what is taken, what is refused and why, and how it goes."""

from __future__ import annotations

import gzip
import io
import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from labeling.batches.batches import undo_batch
from labeling.batches.rebuild import rebuild_labels
from labeling.errors import Gone
from labeling.files import imports
from labeling.files.formats.archive import Limits
from labeling.files.formats.known import WRITERS, read_file, read_paths
from labeling.files.formats.rows import FoundImage, Labeled, Refused
from labeling.files.imports import ImportReport, take_in_images
from labeling.models import Arrival, Batch, Label, LabelEvent, QueueItem
from predictions.errors import Declined
from predictions.glyphs.glyph import encode_glyph
from predictions.glyphs.images import data_url
from predictions.models import Prediction
from tests.factories import a_one, a_seven, make_ben, make_live, png
from tests.labeling.collection import (
    a_glyph,
    as_png,
    forget_everything,
    idx_images,
    idx_labels,
    labeled_item,
    png_of,
    what_stands,
    zip_of,
)
from tests.labeling.door import make_item

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _a_model(db: None) -> None:
    make_live()


def take(*paths: Path, **how: Any) -> ImportReport:
    return take_in_images(read_paths(paths), by=None, source="a test", **how)


def told(report: ImportReport) -> dict[str, str]:
    return {Path(each.name).name: each.why for each in report.refusals}


def csv_of(*rows: tuple[Any, np.ndarray], path: Path) -> Path:
    lines = [",".join(map(str, [label, *glyph.ravel()])) for label, glyph in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


class TestRoundTrip:
    """From one installation to another, empty one: the same glyphs, bit for bit, and labels."""

    @pytest.mark.parametrize("kind", WRITERS)
    def test_glyphs_and_labels_come_back_as_they_left(self, kind: str, tmp_path: Path):
        for seed, digit in enumerate([7, 0, 3, 3, 9]):
            labeled_item(digit, seed)
        if kind in {"zip", "label-studio"}:
            labeled_item(None, 9)
        left = what_stands()
        file = tmp_path / "labels"
        call_command("export_labels", format=kind, output=file)
        forget_everything()
        report = take(file)
        assert (report.refused, report.taken, report.labeled) == (0, len(left), len(left))
        assert what_stands() == left

    def test_what_people_drew_comes_back_too(self, tmp_path: Path):
        from predictions.capture.capture import capture
        from predictions.models import Owner

        drawn = [
            capture(png(image), owner=Owner(), source="draw") for image in (a_seven(), a_one())
        ]
        glyphs = {row.glyph_digest: bytes(row.glyph) for row in drawn}
        files = {f"unlabeled/{at}.png": each for at, each in enumerate(glyphs.values())}
        forget_everything()
        take(zip_of(files, tmp_path / "x.zip"))
        rows = Prediction.objects.values_list("glyph_digest", "glyph")
        assert {digest: bytes(glyph) for digest, glyph in rows} == glyphs

    @pytest.mark.parametrize("kind", WRITERS)
    @settings(max_examples=15, suppress_health_check=list(HealthCheck))
    @given(
        inner=st.lists(
            st.tuples(arrays(np.uint8, (20, 20)), st.integers(0, 9)), min_size=1, max_size=4
        )
    )
    def test_any_glyph_is_found_in_the_file_as_it_was(self, kind: str, inner: Any):
        """The formats alone, without a database."""
        labels = [label_of(ink, digit) for ink, digit in inner]
        content = b"".join(WRITERS[kind].write(labels))
        found = list(read_file("x", io.BytesIO(content)))
        assert all(isinstance(each, FoundImage) for each in found)
        if kind.startswith("idx"):  # two files of images: the audits, and the rest
            labels.sort(key=lambda label: not label.is_audit)
        assert [(glyph_in(each), each.verdict.digit) for each in found] == [
            (label.glyph, label.digit) for label in labels
        ]


def label_of(ink: np.ndarray, digit: int) -> Labeled:
    from datetime import UTC, datetime
    from uuid import uuid4

    glyph = np.pad(ink, 4)
    at = datetime(2026, 11, 21, tzinfo=UTC)
    return Labeled(uuid4(), digit, encode_glyph(glyph), 1, 0.5, "toy", at, at, digit % 2 == 1)


def glyph_in(found: FoundImage) -> bytes:
    if isinstance(found.picture, bytes):
        return found.picture
    return encode_glyph(found.picture)


class TestKindsOfFiles:
    def test_a_folder_by_digit(self, tmp_path: Path):
        for name in ("7/a.png", "0/deep.png", "unlabeled/c.png", "unreadable/d.png", "3/notes.txt",
                     "other/e.png", ".hidden/f.png", "3/.DS_Store"):  # fmt: skip
            file = tmp_path / "digits" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(as_png(a_glyph(len(list(tmp_path.rglob("*"))))))
        (tmp_path / "digits/3/notes.txt").write_text("not an image")
        (tmp_path / "digits/7/link.png").symlink_to(tmp_path / "digits/0/deep.png")
        report = take(tmp_path / "digits")
        assert (report.taken, report.labeled) == (4, 3)
        assert sorted(str(digit) for _, digit in what_stands()) == ["0", "7", "None"]
        reasons = told(report)
        assert "no folder called" in reasons.pop("e.png")
        assert "PNG, JPEG and WebP" in reasons.pop("notes.txt")
        assert reasons.pop("link.png") == "it is a link"
        assert not reasons

    def test_one_image_is_what_its_folder_says(self, tmp_path: Path):
        file = tmp_path / "4" / "x.png"
        file.parent.mkdir()
        file.write_bytes(png())
        take(file)
        assert Label.objects.get().digit == 4

    def test_a_drawing_becomes_a_glyph_like_any_upload(self, tmp_path: Path):
        from predictions.capture.capture import sketch

        take(zip_of({"7/x.png": png()}, tmp_path / "x.zip"))
        assert Prediction.objects.get().glyph_digest == sketch(png()).digest

    def test_black_on_white_is_no_glyph_yet_whatever_its_size(self, tmp_path: Path):
        glyph = np.zeros((28, 28), np.uint8)
        glyph[6:22, 13:16] = 255
        report = take(zip_of({"1/a.png": as_png(255 - glyph)}, tmp_path / "x.zip"))
        assert report.taken == 1
        stored = Prediction.objects.get()
        from predictions.glyphs.glyph import decode_glyph

        assert decode_glyph(bytes(stored.glyph))[0].max() == 0

    @pytest.mark.parametrize("packed", [False, True])
    def test_idx_files_beside_each_other(self, tmp_path: Path, packed: bool):
        pack, tail = (gzip.compress, ".gz") if packed else (bytes, "")
        glyphs = [a_glyph(seed) for seed in range(3)]
        images = tmp_path / f"my-images-idx3-ubyte{tail}"
        labels = tmp_path / f"my-labels-idx1-ubyte{tail}"
        images.write_bytes(pack(idx_images(glyphs)))
        assert take(images).labeled == 0
        labels.write_bytes(pack(idx_labels([1, 2, 12])))
        report = take(tmp_path)
        assert (report.labeled, report.already) == (2, 0)
        assert told(report) == {f"{images.name} row 3": "its label is 12, and no digit from 0 to 9"}
        again = take(images, labels)
        assert (again.already, again.refused) == (2, 1)

    def test_the_mnist_of_keras(self, tmp_path: Path):
        glyphs = np.stack([a_glyph(seed) for seed in range(4)])
        np.savez(
            tmp_path / "mnist.npz", x_train=glyphs[:3], y_train=np.array([5, 0, 4]),
            x_test=glyphs[3:], y_test=np.array([7], np.uint8),
        )  # fmt: skip
        assert take(tmp_path / "mnist.npz").labeled == 4

    def test_lines_of_pixels_with_a_header_or_without(self, tmp_path: Path):
        one = csv_of((3, a_glyph(0)), ("", a_glyph(1)), path=tmp_path / "one.csv")
        assert (take(one).taken, Label.objects.get().digit) == (2, 3)
        lines = csv_of((8, a_glyph(2)), path=tmp_path / "two.csv").read_text()
        header = ",".join(["label", *(f"{row}x{at}" for row in range(28) for at in range(28))])
        (tmp_path / "two.csv").write_text(f"{header}\n{lines}")
        assert (take(tmp_path / "two.csv").labeled, Label.objects.count()) == (1, 2)

    def test_bad_lines_cost_no_good_one(self, tmp_path: Path):
        good, glyph = a_glyph(0), a_glyph(1)
        file = csv_of((3, good), ("x", glyph), (3, np.int64(glyph) + 1), (4, glyph[1:]),
                      path=tmp_path / "x.csv")  # fmt: skip
        with file.open("a") as more:
            more.write("1" * 40_000 + "\n" + "\0\n")
            more.write(",".join(["5", *map(str, a_glyph(2).ravel())]))
        report = take(file)
        assert (report.taken, report.labeled, report.refused) == (2, 2, 5)
        assert "no digit" in told(report)["x.csv line 2"]
        assert "0 to 255" in told(report)["x.csv line 3"]
        assert "757 cells" in told(report)["x.csv line 4"]
        assert "longer" in told(report)["x.csv line 5"]


class TestLabelStudio:
    def file(self, tmp_path: Path, *tasks: Any) -> Path:
        file = tmp_path / "tasks.json"
        file.write_text(json.dumps(tasks, indent=1))
        return file

    def task(self, image: Any, *choices: str, **annotation: Any) -> dict[str, Any]:
        said = [
            {"result": [{"type": "choices", "value": {"choices": [each]}}], **annotation}
            for each in choices
        ]
        return {"data": {"image": image}, "annotations": said}

    def test_annotations_become_labels(self, tmp_path: Path):
        images = [data_url(png_of(seed)) for seed in range(5)]
        report = take(
            self.file(
                tmp_path,
                self.task(images[0], "7"),
                self.task(images[1], "3", "3"),
                self.task(images[2]),
                self.task(images[3], "4", was_cancelled=True),
                self.task(images[4], "Unreadable"),
            )
        )
        assert (report.taken, report.refused) == (5, 0)
        assert sorted(str(digit) for _, digit in what_stands()) == ["3", "7", "None"]

    def test_what_cannot_be_a_label_is_refused_by_the_number_of_its_task(self, tmp_path: Path):
        image = data_url(png_of(0))
        report = take(
            self.file(
                tmp_path,
                self.task(image, "7", "1"),
                self.task(image, "eleven"),
                self.task("data:text/html;base64,xx", "1"),
                self.task(7, "1"),
                {"data": {}},
                "nonsense",
                self.task(image, "2"),
            )
        )
        assert (report.taken, report.refused) == (1, 6)
        assert "disagree: 1, 7" in told(report)["tasks.json task 1"]
        assert "neither a digit" in told(report)["tasks.json task 2"]

    def test_our_own_addresses_stand_for_their_predictions(self, tmp_path: Path, settings: Any):
        settings.ALLOWED_HOSTS = ["digits.example.org"]
        items = [make_item() for _ in range(3)]
        report = take(
            self.file(
                tmp_path,
                self.task(items[0].glyph_url, "4"),
                self.task(f"https://digits.example.org{items[1].drawing_url}", "5"),
                self.task(items[2].glyph_url),
                self.task(Prediction().glyph_url, "1"),
            )
        )
        assert (report.taken, report.labeled, report.already) == (0, 2, 1)
        assert "no prediction of this id" in told(report)["tasks.json task 4"]
        assert {item.pk: item.label.digit for item in items[:2]} == {items[0].pk: 4, items[1].pk: 5}

    @pytest.mark.parametrize(
        "address",
        ["https://elsewhere.example.com{path}", "//elsewhere.example.com{path}", "file:///etc/passwd",
         "http://localhost:99999999{path}", "/glyphs/../admin/", "ftp://digits.example.org{path}",
         "/data/upload/1/x.png", "s3://bucket/x.png", "{path}?x=1#y", ""],
    )  # fmt: skip
    def test_no_other_address_is_followed(self, tmp_path: Path, settings: Any, address: str):
        settings.ALLOWED_HOSTS = ["digits.example.org"]
        item = make_item()
        report = take(self.file(tmp_path, self.task(address.format(path=item.glyph_url), "4")))
        if "?" in address:  # still the path of our own picture
            assert report.labeled == 1
        else:
            assert "not fetched" in told(report)["tasks.json task 1"]

    @pytest.mark.parametrize(
        "text", ["[", "[1", '[{"a": ', "[,]", "[1 2]", "[" * 100_000, '["' + "x" * 5_000_000]
    )
    def test_json_that_breaks_off_is_refused_where_it_does(self, tmp_path: Path, text: str):
        good = json.dumps(self.task(data_url(png_of(0)), "7"))
        file = tmp_path / "x.json"
        file.write_text(f"[{good},{text[1:]}")
        report = take(file)
        no_tasks = text.count("1")  # read, and refused by themselves
        assert (report.taken, report.refused) == (1, 1 + no_tasks)
        assert any("cannot be read" in why for why in told(report).values())


class TestHostileFiles:
    def archive(self, tmp_path: Path) -> tuple[zipfile.ZipFile, Path]:
        path = tmp_path / "x.zip"
        return zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED), path

    @pytest.mark.parametrize(
        "name", ["/7/a.png", "../7/a.png", "7/../../7/a.png", "7\\..\\a.png", "C:/7/a.png"]
    )
    def test_names_that_lead_out_are_refused_and_the_rest_taken(self, tmp_path: Path, name: str):
        archive, path = self.archive(tmp_path)
        with archive:
            archive.writestr("7/good.png", png_of(0))
            info = zipfile.ZipInfo("x")
            info.filename = name
            archive.writestr(info, png_of(1))
        report = take(path)
        assert (report.taken, report.refused) == (1, 1)
        assert "leads out" in report.refusals[0].why

    def test_links_encrypted_and_nested_ones_are_refused(self, tmp_path: Path):
        archive, path = self.archive(tmp_path)
        link = zipfile.ZipInfo("7/link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        with archive:
            archive.writestr("7/good.png", png_of(0))
            archive.writestr(link, "/etc/passwd")
            archive.writestr("7/nested.zip", b"PK\x03\x04" + b"\0" * 100)
            archive.writestr(zipfile.ZipInfo("7/packed.png"), png_of(1), zipfile.ZIP_LZMA)
        report = take(path)
        assert report.taken == 1
        assert told(report)["link.png"] == "it is a link"
        assert "packed in a way" in told(report)["packed.png"]
        assert "PNG, JPEG and WebP" in told(report)["nested.zip"]

    def test_a_bomb_is_not_unpacked(self, tmp_path: Path):
        archive, path = self.archive(tmp_path)
        with archive:
            archive.writestr("7/bomb.png", b"\0" * 300_000_000)
            archive.writestr("7/good.png", png_of(0))
        report = take(path)
        assert (report.taken, report.refused) == (1, 1)
        assert "larger than 2 MB" in told(report)["bomb.png"]

    def test_all_members_together_have_a_limit(self, tmp_path: Path):
        path = zip_of({f"7/{seed}.png": png_of(seed) for seed in range(10)}, tmp_path / "x.zip")
        with path.open("rb") as file:
            items = read_file("x", file, limits=Limits(members=100, bytes=2_500))
            with pytest.raises(Declined, match="more than is accepted"):
                take_in_images(items, by=None, source="a test")

    def test_too_many_members_are_refused_before_their_names_are_read(self, tmp_path: Path):
        path = zip_of({f"{seed}{'x' * 200}": b"" for seed in range(50)}, tmp_path / "x.zip")
        refused = pytest.raises(Declined, match="more than the 10 files")
        with path.open("rb") as file, refused:
            list(read_file("x", file, limits=Limits(members=10, bytes=10**9)))

    def test_a_large_directory_cannot_hide_behind_a_comment(self, tmp_path: Path):
        path = tmp_path / "x.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for at in range(70_000):  # the directory's end in 64 bits
                archive.writestr(zipfile.ZipInfo(f"7/{at}"), b"")
            archive.comment = b"x" * 65_535
        refused = pytest.raises(Declined, match="more than the 10,000 files")
        with path.open("rb") as file, refused:
            list(read_file("x", file, limits=Limits(members=10_000, bytes=10**9)))

    def test_names_are_told_without_what_moves_a_cursor(self, tmp_path: Path):
        (tmp_path / "7").mkdir()
        with open(bytes(tmp_path) + b"/7/\xff\x1b[2J.png", "wb") as file:
            file.write(png_of(0))
        take(tmp_path)
        assert Arrival.objects.get().name.endswith("7/??[2J.png")

    def test_a_broken_member_costs_no_other(self, tmp_path: Path):
        path = tmp_path / "x.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("7/bad.png", png_of(0))
            archive.writestr("7/good.png", png_of(1))
        content = path.read_bytes()
        at = content.index(b"IDAT") + 8
        path.write_bytes(content[:at] + b"\xff" + content[at + 1 :])
        report = take(path)
        assert (report.taken, list(told(report))) == (1, ["bad.png"])

    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(
        kind=st.sampled_from([*WRITERS, "csv"]),
        cut=st.integers(0, 3_000),
        at=st.integers(0, 3_000),
        byte=st.integers(0, 255),
    )
    def test_whatever_is_damaged_is_refused_and_never_an_error(
        self, kind: str, cut: int, at: int, byte: int
    ):
        labels = [label_of(a_glyph(seed)[4:24, 4:24], seed) for seed in range(3)]
        if kind == "csv":
            content = b"7," + b",".join(b"%d" % value for value in a_glyph(0).ravel()) + b"\n"
        else:
            content = b"".join(WRITERS[kind].write(labels))
        content = content[:at] + bytes([byte]) + content[at + 1 :]
        content = content[: len(content) - cut]
        try:
            found = list(read_file("x", io.BytesIO(content)))
        except Declined:
            return
        assert all(isinstance(each, FoundImage | Refused) for each in found)

    def test_a_header_that_lies_allocates_nothing(self, tmp_path: Path):
        file = tmp_path / "x-images-idx3-ubyte"
        file.write_bytes(idx_images([a_glyph(0)], count=9_000_000))
        report = take(file)
        assert report.taken == 1
        assert "8,999,999 are missing" in report.refusals[0].why
        file.write_bytes(idx_images([a_glyph(1)], count=2**32 - 1))
        assert "are accepted" in take(file).refusals[0].why

    def test_pickles_are_never_opened(self, tmp_path: Path):
        np.savez(tmp_path / "x.npz", images=np.array([{}], dtype=object), allow_pickle=True)
        report = take(tmp_path / "x.npz")
        assert (report.taken, "not accepted" in report.refusals[0].why) == (0, True)

    def test_a_blank_and_a_bomb_of_pixels_are_refused_as_uploads_are(self, tmp_path: Path):
        blank, good = np.zeros((28, 28), np.uint8), a_glyph(0)
        file = csv_of((0, blank), (1, good), path=tmp_path / "x.csv")
        report = take(file)
        assert (report.taken, report.refused) == (1, 1)
        assert "no ink" in report.refusals[0].why


class TestWhatIsHereAlready:
    def test_the_same_import_again_changes_nothing(self, tmp_path: Path):
        file = csv_of((3, a_glyph(0)), (4, a_glyph(1)), path=tmp_path / "x.csv")
        take(file)
        again = take(file)
        assert (again.taken, again.labeled, again.already, again.batch) == (0, 0, 2, None)
        assert Batch.objects.count() == 1
        assert Prediction.objects.count() == 2

    def test_a_label_of_peoples_is_left_alone(self, tmp_path: Path):
        labeled_item(3, 0)
        waiting = make_item(glyph=a_glyph(1))
        report = take(csv_of((8, a_glyph(0)), (4, a_glyph(1)), path=tmp_path / "x.csv"))
        assert (report.taken, report.labeled) == (0, 1)
        assert told(report) == {"x.csv line 1": "it is here already, labeled 3"}
        assert waiting.label.digit == 4

    def test_an_audit_stays_blind(self, tmp_path: Path):
        audit = make_item(glyph=a_glyph(0), is_audit=True)
        report = take(csv_of((8, a_glyph(0)), path=tmp_path / "x.csv"))
        assert "blind" in report.refusals[0].why
        assert not Label.objects.filter(pk=audit.pk).exists()

    @pytest.mark.parametrize("dry_run", [True, False])
    @pytest.mark.parametrize("at_once", [1, 2, 256])
    def test_a_glyph_that_comes_twice_is_stored_once(
        self, tmp_path: Path, monkeypatch: Any, at_once: int, dry_run: bool
    ):
        monkeypatch.setattr(imports, "AT_ONCE", at_once)
        same = a_glyph(0)
        file = csv_of(("", same), (3, same), (3, same), (4, same), path=tmp_path / "x.csv")
        report = take(file, dry_run=dry_run)
        counts = report.taken, report.labeled, report.already, report.refused
        assert counts == (1, 1, 1, 1)
        assert told(report) == {"x.csv line 4": "it is here already, labeled 3"}
        assert Prediction.objects.count() == (0 if dry_run else 1)


class TestOneBatch:
    def test_everything_is_one_batch_over_all_pages_and_files(
        self, tmp_path: Path, monkeypatch: Any
    ):
        monkeypatch.setattr(imports, "AT_ONCE", 2)
        ben = make_ben()
        paths = [
            csv_of(*((at, a_glyph(at)) for at in range(5)), path=tmp_path / "x.csv"),
            csv_of(("", a_glyph(9)), ("x", a_glyph(8)), path=tmp_path / "y.csv"),
        ]
        report = take_in_images(read_paths(paths), by=ben, source="x.csv, y.csv")
        batch = Batch.objects.get()
        assert report.batch == batch
        assert (batch.kind, batch.made_by, batch.count) == (Batch.Kind.IMPORT, ben, 6)
        assert batch.chosen_by == {"file": "x.csv, y.csv", "refused": 1, "here already": 0}
        assert set(batch.arrivals.values_list("name", flat=True)) >= {f"{paths[0]} line 1"[-200:]}
        assert LabelEvent.objects.filter(batch=batch, labeler=ben).count() == 5

    def test_nothing_is_an_audit_and_nobody_drew_it(self, tmp_path: Path, settings: Any):
        settings.AUDIT_RATE = 1.0
        take(csv_of(("", a_glyph(0)), path=tmp_path / "x.csv"))
        row = Prediction.objects.get()
        assert (row.source, row.user, row.visitor) == ("import", None, None)
        assert (row.is_audit, row.audit_probability) == (False, 0.0)
        assert QueueItem.objects.get().is_open

    def test_taking_it_back_leaves_labels_and_the_queue_as_they_were(self, tmp_path: Path):
        waiting = make_item(glyph=a_glyph(0))
        place = QueueItem.objects.values("is_open", "stream", "rank").get(pk=waiting.pk)
        file = csv_of((4, a_glyph(0)), (5, a_glyph(1)), ("", a_glyph(2)), path=tmp_path / "x.csv")
        batch = take(file).batch
        assert batch is not None
        undo_batch(batch, by=make_ben())
        assert not Label.objects.exists()
        assert QueueItem.objects.values("is_open", "stream", "rank").get(pk=waiting.pk) == place
        # What came in is kept, for the model has read it; nobody is asked about it.
        assert Prediction.objects.count() == 3
        assert not QueueItem.objects.exclude(pk=waiting.pk).filter(is_open=True).exists()
        assert len(rebuild_labels(mend=False)) == 0

    def test_nothing_is_added_to_what_is_taken_back_while_it_comes_in(
        self, tmp_path: Path, monkeypatch: Any
    ):
        monkeypatch.setattr(imports, "AT_ONCE", 2)
        ben, pages = make_ben(), []

        def take_back_after_the_first_page(count: int) -> None:
            pages.append(count)
            undo_batch(Batch.objects.get(), by=ben)

        file = csv_of(*((at, a_glyph(at)) for at in range(4)), path=tmp_path / "x.csv")
        with pytest.raises(Gone, match="taken back while it ran"):
            take(file, progress=take_back_after_the_first_page)
        assert pages == [2]
        assert not Label.objects.exists()

    def test_what_was_taken_back_can_come_in_again_and_be_taken_back_again(self, tmp_path: Path):
        ben = make_ben()
        file = csv_of((5, a_glyph(1)), ("", a_glyph(2)), path=tmp_path / "x.csv")
        first = take(file).batch
        assert first is not None
        undo_batch(first, by=ben)
        csv_of((6, a_glyph(1)), ("", a_glyph(2)), path=file)  # the label was wrong
        second = take(file).batch
        assert second is not None
        assert (second.count, Arrival.objects.filter(batch=second).count()) == (2, 2)
        assert Label.objects.get().digit == 6
        assert QueueItem.objects.filter(is_open=True).count() == 1
        assert len(rebuild_labels(mend=False)) == 0
        undo_batch(second, by=ben)
        assert not QueueItem.objects.filter(is_open=True).exists()
        assert not Label.objects.exists()


class TestTheCommand:
    def files(self, tmp_path: Path) -> Path:
        return csv_of((4, a_glyph(0)), ("x", a_glyph(1)), path=tmp_path / "x.csv")

    def test_it_says_what_it_took_and_what_it_refused_and_why(self, tmp_path: Path, capsys: Any):
        make_ben()
        with pytest.raises(SystemExit) as ended:
            call_command("import_digits", self.files(tmp_path), by="ben")
        assert ended.value.code == 2
        said = capsys.readouterr()
        assert "1 images taken in, 1 labels, 0 here already, 1 refused." in said.out
        assert "line 2: its label is no digit" in said.err
        assert str(Batch.objects.get().pk) in said.out

    def test_all_taken_is_the_good_end_and_json_says_so(self, tmp_path: Path, capsys: Any):
        file = csv_of((4, a_glyph(0)), path=tmp_path / "x.csv")
        call_command("import_digits", file, json=True)
        told = json.loads(capsys.readouterr().out)
        assert told == {
            "batch": str(Batch.objects.get().pk), "taken": 1, "labeled": 1, "already": 0,
            "refused": 0, "refusals": [],
        }  # fmt: skip

    def test_a_dry_run_changes_nothing(self, tmp_path: Path, capsys: Any):
        with pytest.raises(SystemExit):
            call_command("import_digits", self.files(tmp_path), dry_run=True)
        assert "1 images taken in, 1 labels" in capsys.readouterr().out
        assert not Batch.objects.exists()
        assert not Prediction.objects.exists()

    def test_what_is_not_there_is_an_error(self, tmp_path: Path):
        with pytest.raises(CommandError, match="no file or folder"):
            call_command("import_digits", tmp_path / "missing")
        with pytest.raises(CommandError, match="no account"):
            call_command("import_digits", self.files(tmp_path), by="nobody")
