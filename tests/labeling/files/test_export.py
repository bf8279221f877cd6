"""Labels out and in again, and the wrong predictions as a folder."""

from __future__ import annotations

import csv
import io
import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from labeling.batches.batches import undo_batch
from labeling.batches.bulk import correct_each
from labeling.decisions.decisions import Answer
from labeling.files import export, label_lines
from labeling.files.csv_cells import cell
from labeling.models import Batch, Label, LabelEvent
from predictions.models import Prediction
from tests.factories import make_ada, make_ben, make_cy, make_user, some_glyph
from tests.labeling.door import Door, make_item

pytestmark = pytest.mark.django_db
EXPORT = "/api/v1/labels/export/"


def labeled(actual: int | None, by: Any = None, **fields: Any) -> Prediction:
    item = make_item(**fields)
    correct_each({item.pk: Answer(actual)}, by=by, kind=Batch.Kind.CORRECTION, chosen_by={})
    return item


def download(door: Door, query: str = "") -> Any:
    return door.client.get(EXPORT + query)


def text_of(answer: Any) -> str:
    assert answer.status_code == 200, answer
    return b"".join(answer.streaming_content).decode()


def rows_of(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text_of(answer))))


@pytest.fixture
def ben() -> Door:
    return Door(make_ben())


class TestDownloading:
    @pytest.mark.parametrize(("kind", "name"), [("csv", "labels.csv"), ("idx", "labels.idx.zip")])
    def test_a_file_is_named_by_us_whatever_was_asked(self, ben: Door, kind: str, name: str):
        answer = download(ben, f"?format={kind}&digit=3")
        assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
        odd = download(ben, "?format=csv&filename=x%0d%0aSet-Cookie:a")
        assert odd.status_code == 400

    def test_every_label_is_a_line_with_what_the_model_said(self, ben: Door):
        eight, unreadable = labeled(8, make_ada(), digit=3), labeled(None)
        make_item()
        first, second = rows_of(download(ben))
        assert list(first) == list(export.COLUMNS)
        assert first["id"] == str(eight.public_id)
        assert (first["digit"], first["predicted"], first["labeled_by"]) == ("8", "3", "ada")
        assert (first["is_unreadable"], first["state"]) == ("false", "settled")
        assert (second["id"], second["digit"]) == (str(unreadable.public_id), "")
        assert second["is_unreadable"] == "true"

    def test_ndjson_says_the_same(self, ben: Door):
        eight = labeled(8)
        (row,) = map(json.loads, text_of(download(ben, "?format=ndjson")).splitlines())
        assert row["id"] == str(eight.public_id)
        assert (row["digit"], row["is_unreadable"], row["labeled_by"]) == (8, False, None)

    def test_a_download_goes_on_after_the_last_id_it_has(self, ben: Door):
        made = [str(labeled(digit).public_id) for digit in range(5)]
        rest = rows_of(download(ben, f"?after={made[1]}"))
        assert [row["id"] for row in rest] == made[2:]

    def test_it_is_narrowed_by_what_is_offered(self, ben: Door):
        labeled(1)
        audit = labeled(2, is_audit=True)
        assert len(rows_of(download(ben, "?digit=1"))) == 1
        assert [row["id"] for row in rows_of(download(ben, "?is_audit=true"))] == [
            str(audit.public_id)
        ]
        assert rows_of(download(ben, "?state=disputed")) == []

    @pytest.mark.parametrize(
        "query",
        ["?format=xlsx", "?digit=10", "?state=odd", "?labeler=ada", "?after=x",
         "?event__labeler__password=x"],
    )  # fmt: skip
    def test_parameters_that_are_not_offered_are_refused(self, ben: Door, query: str):
        answer = download(ben, query)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "invalid"

    def test_a_name_cannot_be_run_as_a_formula(self, ben: Door):
        labeled(1, make_user("@sum", role="labeler"))
        (row,) = rows_of(download(ben))
        assert row["labeled_by"] == "'@sum"

    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
    def test_no_cell_of_text_begins_a_formula(self, text: str):
        assert cell(text) == "'" + text
        assert cell(-1.5) == -1.5

    def test_pages_follow_each_other_without_gap_or_repeat(self, ben: Door, monkeypatch: Any):
        monkeypatch.setattr(export, "AT_ONCE", 2)
        made = [str(labeled(digit).public_id) for digit in range(5)]
        assert [row["id"] for row in rows_of(download(ben))] == made

    def test_cy_labelers_and_visitors_get_nothing(self):
        labeled(1)
        for door in (Door(make_cy()), Door(make_ada())):
            assert download(door).status_code == 403
        assert download(Door()).status_code == 401
        assert download(Door(make_user("ann", role="analyst"))).status_code == 200

    def test_nothing_is_read_before_it_is_sent(self, ben: Door, monkeypatch: Any):
        monkeypatch.setattr(export, "AT_ONCE", 3)
        for digit in range(8):
            labeled(digit)
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        found = export.rows()
        with CaptureQueriesContext(connection) as queries:
            next(found)
        assert len(queries) == 2  # the keys of a slice, and the slice


class TestTheCommand:
    def test_it_writes_what_the_download_says(self, ben: Door, tmp_path: Path, capsys: Any):
        labeled(8)
        labeled(None)
        for kind in ("csv", "ndjson"):
            file = tmp_path / f"labels.{kind}"
            call_command("export_labels", format=kind, output=file)
            assert file.read_text() == text_of(download(ben, f"?format={kind}"))
        capsys.readouterr()
        call_command("export_labels")
        assert capsys.readouterr().out == (tmp_path / "labels.csv").read_text()

    def test_it_goes_on_after_an_id_and_refuses_an_unknown_one(self, capsys: Any):
        first, second = labeled(1), labeled(2)
        call_command("export_labels", after=str(first.public_id), format="ndjson")
        assert json.loads(capsys.readouterr().out)["id"] == str(second.public_id)
        for odd in ("nonsense", "00000000-0000-4000-8000-000000000000"):
            with pytest.raises(CommandError):
                call_command("export_labels", after=odd)


class TestWrongPredictions:
    def test_each_is_an_image_named_by_what_it_is_and_a_line(self, tmp_path: Path):
        glyph = some_glyph(5)
        wrong = labeled(8, digit=3, glyph=glyph)
        labeled(3, digit=3)
        labeled(None, digit=3)
        call_command("export_wrong", tmp_path)
        (image,) = (tmp_path / "incorrect images").iterdir()
        assert image.name == f"predicted-3_actual-8_{wrong.public_id}.png"
        with Image.open(image) as opened:
            assert np.array_equal(np.asarray(opened), glyph)
        (row,) = csv.DictReader((tmp_path / "incorrect predictions.csv").read_text().splitlines())
        assert (row["file"], row["predicted"], row["actual"]) == (image.name, "3", "8")


class TestImporting:
    def write(self, tmp_path: Path, *lines: str, name: str = "labels.csv") -> Path:
        file = tmp_path / name
        file.write_text("\n".join(lines) + "\n")
        return file

    def test_an_export_comes_back_as_one_batch(self, tmp_path: Path):
        items = [labeled(1), labeled(None), labeled(3)]
        files = [tmp_path / f"labels.{kind}" for kind in ("csv", "ndjson")]
        for file in files:
            call_command("export_labels", output=file, format=file.suffix[1:])
        before = list(Label.objects.order_by("pk").values_list("pk", "digit", "is_unreadable"))
        for file in files:
            for batch in Batch.objects.filter(undone_at=None):
                undo_batch(batch, by=make_user(f"undoer-{batch.pk}"))
            assert not Label.objects.exists()
            call_command("import_labels", file, yes=True)
            after = Label.objects.order_by("pk").values_list("pk", "digit", "is_unreadable")
            assert list(after) == before
        batch = Batch.objects.filter(undone_at=None).get()
        assert (batch.kind, batch.count) == (Batch.Kind.IMPORT, len(items))

    def test_without_yes_nothing_changes(self, tmp_path: Path, capsys: Any):
        item = make_item()
        file = self.write(tmp_path, "id,digit", f"{item.public_id},4")
        call_command("import_labels", file)
        assert "1 labels to change" in capsys.readouterr().out
        assert not LabelEvent.objects.exists()
        call_command("import_labels", file, yes=True)
        assert item.label.digit == 4

    def test_refused_lines_are_listed_with_their_numbers(self, tmp_path: Path, capsys: Any):
        item, other = make_item(), make_item()
        unknown = "00000000-0000-4000-8000-000000000000"
        file = self.write(
            tmp_path,
            "id,digit,is_unreadable",
            f"{item.public_id},4,false",
            f"{unknown},4,",
            f"{other.public_id},11,",
            f"{item.public_id},5,",
            "nonsense,1,",
            f"{other.public_id},3,true",
            f"{other.public_id},,",
        )
        call_command("import_labels", file, yes=True)
        told = capsys.readouterr().err
        for number, why in ((3, "no prediction"), (4, "from 0 to 9"), (5, "on line 2 too"),
                            (6, "not the id"), (7, "not both"), (8, "from 0 to 9")):  # fmt: skip
            assert any(
                line.startswith(f"line {number}:") and why in line for line in told.splitlines()
            ), told
        assert list(Label.objects.values_list("pk", "digit")) == [(item.pk, 4)]

    def test_an_audit_that_nobody_answered_is_labeled_by_no_file(self, tmp_path: Path, capsys: Any):
        audit, answered, plain = make_item(is_audit=True), labeled(2, is_audit=True), make_item()
        lines = [f"{item.public_id},4" for item in (audit, answered, plain)]
        call_command("import_labels", self.write(tmp_path, "id,digit", *lines), yes=True)
        assert "line 2: it is an audit nobody has answered" in capsys.readouterr().err
        assert set(Label.objects.values_list("pk", "digit")) == {(answered.pk, 4), (plain.pk, 4)}

    def test_odd_json_is_refused_line_by_line(self, tmp_path: Path, capsys: Any):
        item = make_item()
        file = self.write(
            tmp_path, "[" * 50_000, "7", json.dumps({"id": str(item.public_id), "digit": True}),
            json.dumps({"id": str(item.public_id), "digit": 4}), name="labels.ndjson",
        )  # fmt: skip
        call_command("import_labels", file, yes=True)
        assert "3 refused" in capsys.readouterr().out
        assert item.label.digit == 4

    def test_what_stands_so_already_is_no_news(self, tmp_path: Path, capsys: Any):
        item = labeled(4)
        file = self.write(tmp_path, "id,digit", f"{item.public_id},4")
        with pytest.raises(CommandError, match="changes nothing"):
            call_command("import_labels", file, yes=True)
        assert "1 stand so already" in capsys.readouterr().out
        assert LabelEvent.objects.count() == 1

    def test_what_somebody_decided_since_the_file_was_read_is_left_alone(self):
        theirs, free = make_item(), make_item(confidence=0.99)
        lines = f"id,digit\n{theirs.public_id},4\n{free.public_id},4\n"
        plan = label_lines.plan(StringIO(lines), file_format="csv")
        ada = Door(make_ada())
        ada.label(ada.item(), 9)
        done = label_lines.apply_plan(plan, by=None, source="a test")
        assert str(done) == "1 done. 1 left alone: changed since they were shown."
        assert sorted(Label.objects.values_list("digit", flat=True)) == [4, 9]

    def test_an_import_is_taken_back_exactly(self, tmp_path: Path):
        item, labeled_one = make_item(), labeled(2)
        before = list(Label.objects.values())
        file = self.write(tmp_path, "id,digit", f"{item.public_id},4", f"{labeled_one.public_id},9")
        ben = make_ben()
        call_command("import_labels", file, yes=True, by="ben")
        batch = Batch.objects.get(kind=Batch.Kind.IMPORT)
        assert (batch.made_by, batch.count) == (ben, 2)
        undo_batch(batch, by=ben)
        assert list(Label.objects.values()) == before
        assert item.queue_item.is_open

    def test_a_file_that_is_none_is_refused(self, tmp_path: Path):
        odd = self.write(tmp_path, "a,b", "1,2")
        for file in (tmp_path / "missing.csv", odd):
            with pytest.raises(CommandError):
                call_command("import_labels", file, yes=True)
        binary = tmp_path / "x.csv"
        binary.write_bytes(b"\xff\xfe\x00\x80")
        with pytest.raises(CommandError):
            call_command("import_labels", binary)
        known = self.write(tmp_path, "id,digit", f"{make_item().public_id},4")
        with pytest.raises(CommandError, match="no account"):
            call_command("import_labels", known, yes=True, by="nobody")
