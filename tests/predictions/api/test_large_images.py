"""Large images cost what they are, at every door, and never take all threads."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from predictions.capture import capture
from predictions.glyphs import images
from predictions.models import ModelVersion, Prediction
from tests.factories import canvas, data_url, make_ben, png
from tests.predictions.api.test_api import PREDICTIONS, TestBatches, post_file, post_json
from tests.predictions.api.test_label_config import config

pytestmark = pytest.mark.django_db
BACKEND = "/api/v1/label-studio/predict"
IMPORT = "/api/v1/labels/import/"
IMPORT_PAGE = "/label/import/"
LARGE = canvas([(600, 400), (1400, 400), (900, 1600)], size=2000, width=140)
Door = Callable[[Client, Any], Any]


def zipped(image: Any) -> SimpleUploadedFile:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("7/a.png", png(image))
    return SimpleUploadedFile("x.zip", file.getvalue())


def predict(client: Client, *pictures: Any, pad: int = 0) -> Any:
    tasks = [{"data": {"image": data_url(picture)}} for picture in pictures]
    body = {"tasks": tasks, "label_config": config(), "pad": "x" * pad}
    return post_json(client, BACKEND, body)


DOORS: dict[str, Door] = {
    "single": lambda client, image: post_file(client, content=png(image)),
    "data URL": lambda client, image: post_json(client, PREDICTIONS, {"image": data_url(image)}),
    "preview": lambda client, image: post_file(client, PREDICTIONS + "preview/", png(image)),
    "batch": lambda client, image: TestBatches().batch(client, png(image)),
    "label studio": predict,
    "import": lambda client, image: client.post(IMPORT, {"file": zipped(image)}),
    "form": lambda client, image: post_file(client, "/", png(image)),
}
THROUGH = {200, 201, 302}


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Door:
    return DOORS[request.param]


@pytest.fixture
def ben(live_version: ModelVersion) -> Client:
    client = Client()
    client.force_login(make_ben())
    return client


@pytest.fixture
def somebody_at_it(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another thread of a server with two is in the middle of a large image."""
    settings.WEB_THREADS = 2
    began, over, decode = threading.Event(), threading.Event(), images._decode

    def held(*arguments: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            began.set()
            over.wait(20)
        return decode(*arguments)

    monkeypatch.setattr(images, "_decode", held)
    thread = threading.Thread(target=capture.glyphs_of, args=[[png(LARGE)]])
    thread.start()
    assert began.wait(20)
    yield
    over.set()
    thread.join()


@pytest.mark.usefixtures("somebody_at_it")
class TestWhileOthersHaveLargeImagesRead:
    def test_one_more_is_refused_at_once_and_a_drawing_is_not(self, ben: Client, door: Door):
        refused = door(ben, LARGE)
        assert refused.status_code == 503
        assert int(refused["Retry-After"]) >= 1
        assert not Prediction.objects.exists()
        if refused["Content-Type"] == "application/json":
            assert refused.json()["error"]["code"] == "busy"
        else:
            assert "Try again in 2 s" in refused.content.decode()
        if door is not DOORS["import"]:  # a file is unpacked before it is known what it holds
            assert door(ben, None).status_code in THROUGH

    def test_many_glyphs_are_read(self, ben: Client):
        glyph = canvas([(4, 4), (24, 24)], size=28, width=3)
        answer = TestBatches().batch(ben, *[png(glyph)] * 100)
        assert answer.status_code == 201
        assert all("digit" in each for each in answer.json()["results"])

    def test_many_drawings_are_as_much_work_as_a_large_one(self, ben: Client):
        assert TestBatches().batch(ben, *[png()] * 20).status_code == 503
        assert predict(ben, *[None] * 20).status_code == 503

    def test_a_body_larger_than_any_single_image_waits_outside(self, ben: Client):
        refused = predict(ben, None, pad=4_000_000)
        assert (refused.status_code, refused["Retry-After"]) == (503, "2")
        assert refused.json()["error"]["code"] == "busy"

    def test_the_import_page_says_so(self, ben: Client):
        answer = ben.post(IMPORT_PAGE, {"file": zipped(None)})
        assert answer.status_code == 302
        (said,) = get_messages(answer.wsgi_request)
        assert "Try again in 2 s" in str(said)


def test_afterwards_it_goes_through(ben: Client, door: Door, settings: Any):
    settings.WEB_THREADS = 1
    for _ in range(2):
        assert door(ben, LARGE).status_code in THROUGH
        assert predict(ben, None, pad=4_000_000).status_code == 200


def test_a_large_image_counts_by_its_pixels(ben: Client, door: Door, settings: Any):
    settings.CAPTURES_PER_MINUTE = settings.PREVIEWS_PER_MINUTE = 20
    assert door(ben, LARGE).status_code in THROUGH  # 4 million pixels: 14 of 20
    refused = door(ben, LARGE)
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) >= 1
    assert door(ben, None).status_code in THROUGH


def test_what_could_never_go_through_says_why(ben: Client, settings: Any):
    settings.CAPTURES_PER_MINUTE = settings.PREVIEWS_PER_MINUTE = 20
    for refused in (TestBatches().batch(ben, *[png(LARGE)] * 2), predict(ben, LARGE, LARGE)):
        assert (refused.status_code, refused.json()["error"]["code"]) == (413, "too_many")
        assert "cost 28, and one request at most 20:" in refused.json()["error"]["message"]
        assert "Retry-After" not in refused
    assert TestBatches().batch(ben, png(LARGE)).status_code == 201


def test_without_a_limit_a_request_has_a_bound_all_the_same(ben: Client, monkeypatch: Any):
    monkeypatch.setattr("predictions.access.limits.MOST_COST", 20)
    for refused in (TestBatches().batch(ben, *[png(LARGE)] * 2), predict(ben, LARGE, LARGE)):
        assert (refused.status_code, refused.json()["error"]["code"]) == (413, "too_many")
    assert TestBatches().batch(ben, png(LARGE)).status_code == 201


@pytest.mark.parametrize("body", [{"image": "data:image/png;base64,!!"}, {"image": 7}, {}])
def test_what_is_no_image_counts_as_one(live_version: Any, body: dict[str, Any], settings: Any):
    settings.PREVIEWS_PER_MINUTE = 2
    answers = [post_json(Client(), PREDICTIONS + "preview/", body) for _ in range(3)]
    assert [answer.status_code for answer in answers][-1] == 429
    assert all(400 <= answer.status_code < 429 for answer in answers[:2])


def test_a_thousand_drawings_come_in_with_one_import(ben: Client, settings: Any):
    settings.CAPTURES_PER_MINUTE = 300
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for at in range(1_000):
            archive.writestr(f"unlabeled/{at}.png", png())
    upload = SimpleUploadedFile("x.zip", file.getvalue())
    answer = ben.post(IMPORT, {"file": upload, "dry_run": "true"})
    assert answer.status_code == 200
    assert answer.json()["taken"] + answer.json()["already"] == 1_000
