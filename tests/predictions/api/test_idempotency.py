"""The same change sent twice is made once."""

from __future__ import annotations

import json
import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone

from predictions.api.idempotency import forget_old_answers
from predictions.models import KeptAnswer, ModelVersion, Prediction
from tests.factories import a_one, canvas, data_url, make_ada, make_user, png
from tests.labeling.door import make_item
from tests.predictions.api.test_api import PREDICTIONS, post_json


def send(client: Client, key: str, image: bytes | None = None) -> Any:
    file = SimpleUploadedFile("x.png", image or png())
    return client.post(PREDICTIONS, {"image": file}, headers={"idempotency-key": key})


def new_key() -> str:
    return str(uuid.uuid4())


def a_visitor() -> Client:
    """A browser whose cookie we know: it has drawn here before."""
    client = Client()
    assert post_json(client, PREDICTIONS, {"image": data_url(a_one())}).status_code == 201
    Prediction.objects.all().delete()
    return client


@pytest.fixture
def client(live_version: ModelVersion) -> Client:
    return a_visitor()


@pytest.mark.django_db
class TestKeys:
    def test_sent_again_it_is_answered_as_before(self, client: Client, live_version: ModelVersion):
        key = new_key()
        first = send(client, key)
        again = send(client, key)
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json() == first.json()
        assert "Idempotent-Replayed" not in first
        assert again["Idempotent-Replayed"] == "true"
        assert Prediction.objects.count() == 1

    def test_without_a_key_it_is_made_again(self, client: Client, live_version: ModelVersion):
        post_json(client, PREDICTIONS, {"image": data_url()})
        post_json(client, PREDICTIONS, {"image": data_url()})
        assert Prediction.objects.count() == 2
        assert not KeptAnswer.objects.exists()

    def test_a_key_of_another_request_is_refused(self, client: Client, live_version: ModelVersion):
        key = new_key()
        client.force_login(make_ada())
        send(client, key)
        for other in (
            send(client, key, png(a_one())),
            post_json(client, PREDICTIONS + "preview/", {"image": data_url()}),
        ):
            if other.status_code == 200:  # the preview was sent without the key
                continue
            assert other.status_code == 422
            assert other.json()["error"]["code"] == "idempotency_key_reused"
        assert Prediction.objects.count() == 1

    def test_a_key_is_its_callers_own(self, live_version: ModelVersion):
        key = new_key()
        for name in ("ada", "bea"):
            client = Client()
            client.force_login(make_user(name))
            assert "Idempotent-Replayed" not in send(client, key)
        assert Prediction.objects.count() == 2

    def test_two_visitors_behind_one_address_have_keys_of_their_own(self, client: Client):
        key, other = new_key(), a_visitor()
        first, second = send(client, key), send(other, key)
        assert "Idempotent-Replayed" not in second
        assert first.json()["id"] != second.json()["id"]
        assert send(other, key).json() == second.json()

    def test_a_visitor_who_logs_in_is_somebody_else(self, client: Client):
        key = new_key()
        first = send(client, key)
        client.force_login(make_ada())
        second = send(client, key)
        assert "Idempotent-Replayed" not in second
        assert first.json()["id"] != second.json()["id"]

    def test_a_program_that_shows_neither_account_nor_cookie_has_no_keys(
        self, live_version: ModelVersion
    ):
        key = new_key()
        answers = [send(Client(), key) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert not any("Idempotent-Replayed" in answer for answer in answers)
        assert not KeptAnswer.objects.exists()

    def test_a_preview_keeps_nothing_under_a_key(self, client: Client):
        headers = {"idempotency-key": new_key()}
        answers = [
            client.post(
                PREDICTIONS + "preview/", {"image": SimpleUploadedFile("x.png", png())},
                headers=headers,
            )
            for _ in range(2)
        ]  # fmt: skip
        assert [answer.status_code for answer in answers] == [200, 200]
        assert not KeptAnswer.objects.exists()

    def test_erasing_ones_drawings_erases_the_answers_about_them(self, client: Client):
        key, other = new_key(), a_visitor()
        first, others = send(client, key), send(other, key)
        client.post("/predictions/erase/", {"sure": "no"})
        assert send(client, key).json() == first.json()
        cookie = client.cookies[settings.VISITOR_COOKIE_NAME].value
        client.post("/predictions/erase/", {"sure": "yes"})
        client.cookies[settings.VISITOR_COOKIE_NAME] = cookie
        assert send(client, key).json()["id"] != first.json()["id"]
        assert send(other, key).json() == others.json()

    def test_an_answer_too_long_to_keep_is_made_once_all_the_same(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ):
        key = new_key()
        monkeypatch.setattr("predictions.api.idempotency.LONGEST", 50)
        assert send(client, key).status_code == 201
        again = send(client, key)
        assert (again.status_code, again.json()["error"]["code"]) == (409, "answer_not_kept")
        assert "50 characters" in again.json()["error"]["message"]
        assert Prediction.objects.count() == 1
        assert KeptAnswer.objects.get().body == ""

    def test_no_answer_that_shows_a_drawing_is_kept(self, client: Client):
        client.force_login(make_ada())
        make_item(digit=7)

        def ask(path: str, **body: Any) -> Any:
            headers = {"idempotency-key": new_key()}
            answer = client.post(
                f"/api/v1/labels/{path}", json.dumps(body), content_type="application/json",
                headers=headers,
            )  # fmt: skip
            assert answer.status_code == 200
            return answer.json()

        (item,) = ask("next/")["items"]
        request_id = str(uuid.uuid4())
        ask("", id=item["id"], token=item["token"], digit=7, request_id=request_id)
        assert ask("undo/", request_id=str(uuid.uuid4()), of=request_id)["item"]["glyph"]
        assert ask("grid/", digit=7)["items"][0]["glyph"]
        assert [kept.body for kept in KeptAnswer.objects.all() if "data:image" in kept.body] == []
        assert KeptAnswer.objects.count() == 1  # of the label

    def test_a_refusal_leaves_the_key_free(self, client: Client, live_version: ModelVersion):
        key = new_key()
        assert send(client, key, png(canvas())).status_code == 422
        assert send(client, key).status_code == 201
        assert Prediction.objects.count() == 1

    @pytest.mark.parametrize("key", ["short", "with a space", "x" * 101, "é" * 10])
    def test_an_odd_key_is_refused(self, client: Client, live_version: ModelVersion, key: str):
        answer = send(client, key)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid")
        assert not Prediction.objects.exists()

    def test_after_a_day_it_is_forgotten(self, client: Client, live_version: ModelVersion):
        key = new_key()
        client.force_login(make_ada())
        send(client, key)
        KeptAnswer.objects.update(made_at=timezone.now() - timedelta(hours=25))
        assert "Idempotent-Replayed" not in send(client, key)
        KeptAnswer.objects.update(made_at=timezone.now() - timedelta(hours=25))
        assert forget_old_answers() == 1

    def test_every_change_takes_one(self, client: Client, live_version: ModelVersion):
        client.force_login(make_user("eve", role="admin"))
        key = {"idempotency-key": new_key()}
        for path in ("labels/release/", "labels/keep/"):
            body = json.dumps({"tokens": [], "ids": []})
            first, again = (
                client.post(
                    f"/api/v1/{path}", body, content_type="application/json",
                    headers={"idempotency-key": key["idempotency-key"] + path[7:11]},
                )
                for _ in range(2)
            )  # fmt: skip
            assert first.status_code in {200, 204}
            assert again["Idempotent-Replayed"] == "true"


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_sent_twice_at_once_it_is_made_once(live_version: ModelVersion):
    ada, key, answers = make_ada(), new_key(), []
    barrier = threading.Barrier(4)

    def once() -> None:
        try:
            client = Client()
            client.force_login(ada)
            barrier.wait()
            answers.append(send(client, key))
        finally:
            connection.close()

    threads = [threading.Thread(target=once) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Prediction.objects.count() == 1
