"""What the grid, review and the import page refuse: in words, and with nothing changed or lost."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from labeling.batches.erasure import erase_some
from labeling.files import imports
from labeling.models import Batch, Label, LabelEvent, QueueItem
from labeling.queue.intake import enqueue_new
from predictions.models import Prediction
from tests.factories import make_ada, make_ben, make_prediction, make_user
from tests.labeling.collection import png_of, zip_of
from tests.labeling.pages.test_pages import GRID, REVIEW, dispute, held_of

pytestmark = pytest.mark.django_db
IMPORT = "/label/import/"


@pytest.fixture(autouse=True)
def _no_chance(live_version: Any, settings: Any) -> None:
    settings.GOLD_RATE = settings.SECOND_OPINION_RATE = 0.0


def as_user(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def what_stands() -> tuple[Any, ...]:
    return (
        list(Label.objects.order_by("pk").values()),
        list(LabelEvent.objects.order_by("pk").values_list("pk", flat=True)),
        list(Batch.objects.order_by("pk").values_list("pk", "undone_at")),
        Prediction.objects.count(),
    )


def refused(client: Client, page: str, fields: dict[str, Any]) -> str:
    """What the page says last; what stands is the same before and after."""
    before = what_stands()
    said = client.post(page, fields, follow=True)
    assert what_stands() == before
    return [each.message for each in said.context["messages"]][-1]


# -- the grid ----------------------------------------------------------------------------------


class Shown:
    """Three glyphs on Ada's grid."""

    def __init__(self) -> None:
        for _ in range(3):
            make_prediction(digit=3, confidence=0.6)
        enqueue_new()
        self.ada = as_user(make_ada())
        self.show()

    def show(self) -> None:
        held = held_of(self.ada.post(GRID, {"act": "show", "digit": 3}))
        items = QueueItem.objects.filter(token=held["token"])
        ids = [str(key) for key in items.values_list("prediction__public_id", flat=True)]
        self.form = {
            "act": "confirm", "digit": 3, "token": held["token"], "ids": ids,
            "request_id": str(uuid.uuid4()),
        }  # fmt: skip

    def confirm(self) -> dict[str, Any]:
        """The form that undoes it."""
        batch = held_of(self.ada.post(GRID, self.form))["batch"]
        return {"act": "undo", "digit": 3, "batch": batch}


def test_a_grid_that_is_no_longer_held_says_to_look_at_fresh_ones_which_can_be_confirmed() -> None:
    shown = Shown()
    QueueItem.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    told = refused(shown.ada, GRID, shown.form)
    assert told.startswith("Some of these are no longer yours")
    assert told.endswith("Look at fresh ones.")
    shown.show()
    shown.confirm()
    assert Label.objects.settled().count() == 3


def test_a_grid_that_somebody_else_holds_is_refused() -> None:
    shown = Shown()
    bea = as_user(make_user("bea", role="labeler"))
    assert "no longer yours" in refused(bea, GRID, shown.form)


def test_a_batch_is_taken_back_once_and_only_by_who_made_it() -> None:
    shown = Shown()
    undo = shown.confirm()
    bea = as_user(make_user("bea", role="labeler"))
    assert refused(bea, GRID, undo) == "There is no such batch of yours."
    shown.ada.post(GRID, undo)
    assert not Label.objects.exists()
    assert refused(shown.ada, GRID, undo) == "This batch was taken back before."


def test_a_request_id_of_somebody_else_confirms_nothing() -> None:
    shown = Shown()
    other = Batch.objects.create(kind=Batch.Kind.CORRECTION)
    told = refused(shown.ada, GRID, {**shown.form, "request_id": str(other.pk)})
    assert told == "This request id was used for something else. Send it with a new one."


# -- review ------------------------------------------------------------------------------------


@pytest.fixture
def ron(settings: Any) -> Client:
    settings.SECOND_OPINION_RATE = 1.0
    return as_user(make_user("ron", role="reviewer"))


def ruling(on: Prediction, said: str = "4") -> dict[str, Any]:
    return {"item": on.public_id, "said": said, "request_id": str(uuid.uuid4())}


def test_a_drawing_that_was_erased_meanwhile_is_said_to_be_gone(ron: Client) -> None:
    disputed = dispute()
    form = ruling(disputed)
    erase_some([disputed.pk])
    told = refused(ron, REVIEW, form)
    assert told == "There is no such item in the queue. It may have been erased: reload the page."


def test_an_audit_without_an_answer_is_led_to_the_label_page(ron: Client) -> None:
    audit = make_prediction(is_audit=True)
    enqueue_new()
    assert refused(ron, REVIEW, ruling(audit)).endswith("given blind, on the label page.")


def test_where_nothing_was_decided_nothing_is_taken_back(ron: Client) -> None:
    form = {"said": "undo", "request_id": str(uuid.uuid4())}
    assert refused(ron, REVIEW, form) == "There is nothing of yours left to take back."


def test_a_ruling_sent_twice_counts_once_and_not_with_another_digit(ron: Client) -> None:
    form = ruling(dispute())
    ron.post(REVIEW, form)
    assert refused(ron, REVIEW, form) == "Settled: 4."
    assert "was used for something else" in refused(ron, REVIEW, {**form, "said": "9"})


# -- import ------------------------------------------------------------------------------------

ZIP = Callable[[dict[str, bytes]], bytes]


@pytest.fixture
def packed(tmp_path: Path) -> ZIP:
    return lambda files: zip_of(files, tmp_path / "x.zip").read_bytes()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\0\1\2", "This file format is not supported. A zip of images, IDX files, an npz,"),
        (b"PK\3\4 cut off", "The zip is damaged: it has no directory."),
        (b"a,b\n1,2\n", "x line 2: it has 2 cells, not a label and 784 values."),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_whole(content: bytes, told: str) -> None:
    upload = SimpleUploadedFile("x", content)
    assert told in refused(as_user(make_ben()), IMPORT, {"file": upload})


def test_of_a_file_with_nothing_to_take_each_refusal_is_told(packed: ZIP) -> None:
    upload = SimpleUploadedFile("x.zip", packed({"odd/c.png": png_of(2), "7/d.png": b"no image"}))
    told = refused(as_user(make_ben()), IMPORT, {"file": upload})
    assert told.startswith("Nothing was imported, 2 refused.")
    assert "odd/c.png" in told
    assert "7/d.png" in told


def test_more_images_than_a_person_waits_for_are_left_to_the_command(
    packed: ZIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "UPLOAD_MOST", 1)
    upload = SimpleUploadedFile("x.zip", packed({"7/a.png": png_of(0), "7/b.png": png_of(1)}))
    told = refused(as_user(make_ben()), IMPORT, {"file": upload})
    assert told.endswith("On the server, manage.py import_digits takes in any number.")


def test_an_import_is_taken_back_once(packed: ZIP) -> None:
    ben = as_user(make_ben())
    ben.post(IMPORT, {"file": SimpleUploadedFile("x.zip", packed({"7/a.png": png_of(0)}))})
    assert Label.objects.get().digit == 7
    undo = {"batch": str(Batch.objects.get().pk)}
    ben.post(IMPORT, undo)
    assert not Label.objects.exists()
    assert refused(ben, IMPORT, undo) == "This batch was taken back before."
