"""A body that comes slowly keeps the thread that reads it, and no other."""

from __future__ import annotations

import io
import threading
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.factories import make_ben, png
from tests.predictions.api.test_api import PREDICTIONS, post_file
from tests.predictions.api.test_large_images import BACKEND, predict

pytestmark = pytest.mark.django_db
PATIENCE = 20  # seconds
FORM = "multipart/form-data; boundary=x"
PREVIEW, BATCH = f"{PREDICTIONS}preview/", f"{PREDICTIONS}batch/"


class SlowBody(io.RawIOBase):
    """A body of which nothing has come; the reader waits until the test is over."""

    def __init__(self) -> None:
        super().__init__()
        self.is_read, self.is_over = threading.Event(), threading.Event()
        self.was_given_up = False

    def read(self, size: int = -1) -> bytes:
        self.is_read.set()
        self.was_given_up = not self.is_over.wait(PATIENCE)
        return b""


@pytest.mark.parametrize(
    ("door", "kind"),
    [
        (PREDICTIONS, FORM),
        (PREVIEW, FORM),
        (BATCH, FORM),
        (PREDICTIONS, "application/json"),
        (BACKEND, "application/json"),
    ],
)
def test_a_slow_upload_holds_up_no_other(live_version: Any, settings: Any, door: str, kind: str):
    settings.LABEL_STUDIO_ANONYMOUS = True
    ben = Client()
    ben.force_login(make_ben())
    body = SlowBody()
    sent: dict[str, Any] = {"CONTENT_LENGTH": 1_000, "CONTENT_TYPE": kind, "wsgi.input": body}
    refused: list[int] = []

    def send_slowly() -> None:
        refused.append(Client().generic("POST", door, **sent).status_code)

    thread = threading.Thread(target=send_slowly)
    thread.start()
    assert body.is_read.wait(PATIENCE)
    answers = {
        PREDICTIONS: lambda: post_file(ben),
        PREVIEW: lambda: post_file(ben, PREVIEW),
        BATCH: lambda: ben.post(BATCH, {"images": [SimpleUploadedFile("x.png", png())]}),
        BACKEND: lambda: predict(ben, None),
    }
    assert answers[door]().status_code in {200, 201}
    body.is_over.set()
    thread.join()
    assert refused == [400]
    assert not body.was_given_up
