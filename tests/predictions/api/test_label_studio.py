"""The endpoints Label Studio calls, as it calls them."""

from __future__ import annotations

import base64
import logging
import socket
from typing import Any

import pytest
from django.test import Client
from rest_framework import serializers

from predictions.access.tokens import forget_noted, make_token, revoke
from predictions.capture.erasure import erase_pictures
from predictions.models import ModelVersion, Prediction, Token
from predictions.serving.recognizer import recognizer
from tests.factories import (
    a_one,
    canvas,
    data_url,
    make_ada,
    make_live,
    make_prediction,
    make_user,
)
from tests.predictions.api.test_api import post_json
from tests.predictions.api.test_label_config import DIGITS, config

pytestmark = pytest.mark.django_db
BACKEND = "/api/v1/label-studio"


@pytest.fixture(autouse=True)
def _nothing_noted() -> None:
    forget_noted()


@pytest.fixture
def secret() -> str:
    return make_token(make_ada(), name="label studio", scopes=["predict"])[1]


@pytest.fixture
def client(secret: str) -> Client:
    """A project that shows its token."""
    return Client(headers={"authorization": f"Bearer {secret}"})


def task(image: Any, number: int = 1) -> dict[str, Any]:
    """As Label Studio sends one; the rest of what it sends is not read."""
    return {"id": number, "data": {"image": image}, "annotations": [], "project": 1}


def predict(client: Client, *images: Any, text: str | None = None, **headers: str) -> Any:
    body = {
        "tasks": [task(image, number) for number, image in enumerate(images)],
        "project": "1.1732179200",
        "label_config": config() if text is None else text,
        "params": {"login": None, "password": None, "context": None},
    }
    return client.post(f"{BACKEND}/predict", body, content_type="application/json", headers=headers)


def basic(secret: str, name: str = "ada") -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


class TestPredicting:
    def test_a_task_gets_the_digit_the_live_version_reads(
        self, client: Client, live_version: ModelVersion
    ):
        answer = predict(client, data_url())
        assert answer.status_code == 200
        (found,) = answer.json()["results"]
        assert answer.json()["model_version"] == found["model_version"] == live_version.name
        assert 0 < found["score"] <= 1
        assert found["result"] == [
            {
                "from_name": "digit",
                "to_name": "img",
                "type": "choices",
                "value": {"choices": ["7"]},
                "score": found["score"],
            }
        ]

    def test_it_reads_what_a_preview_reads(self, client: Client, live_version: ModelVersion):
        previewed = post_json(client, "/api/v1/predictions/preview/", {"image": data_url(a_one())})
        (found,) = predict(client, data_url(a_one())).json()["results"]
        assert found["score"] == pytest.approx(previewed.json()["confidence"], abs=1e-6)

    def test_nothing_is_stored(self, client: Client, live_version: ModelVersion):
        predict(client, *[data_url()] * 3)
        assert not Prediction.objects.exists()

    def test_a_promotion_is_felt_by_the_next_request(self, client: Client, live_version: Any):
        assert predict(client, data_url()).json()["results"][0]["result"][0]["value"] == {
            "choices": ["7"]
        }
        make_live("threes", favorite=3)
        recognizer.forget()
        (found,) = predict(client, data_url()).json()["results"]
        assert found["model_version"] == "threes"
        assert found["result"][0]["value"] == {"choices": ["3"]}

    @pytest.mark.parametrize("address", ["glyphs/{}.png", "drawings/{}.png", "predictions/{}/"])
    @pytest.mark.parametrize("host", ["/", "http://localhost:8000/"])
    def test_a_prediction_of_ours_is_read_from_its_glyph(
        self, client: Client, live_version: ModelVersion, address: str, host: str
    ):
        stored = make_prediction()
        (found,) = predict(client, host + address.format(stored.public_id)).json()["results"]
        assert found["result"][0]["value"] == {"choices": ["7"]}
        assert Prediction.objects.count() == 1

    def test_what_was_erased_is_read_no_more(self, client: Client, live_version: ModelVersion):
        stored = make_prediction()
        former = stored.public_id
        erase_pictures(Prediction.objects.all())
        stored.refresh_from_db()
        for known in (former, stored.public_id):
            (found,) = predict(client, f"/glyphs/{known}.png").json()["results"]
            assert found["result"] == []

    @pytest.mark.parametrize(
        ("image", "said"),
        [
            ("http://host/seven.png", "Nothing is fetched"),
            ("https://127.0.0.1/latest/meta-data/", "Nothing is fetched"),
            ("file:///etc/passwd", "Nothing is fetched"),
            ("/data/upload/1/seven.png", "Nothing is fetched"),
            ("/data/local-files/?d=../../secret_key", "Nothing is fetched"),
            ("s3://bucket/seven.png", "Nothing is fetched"),
            ("http://[::1", "Nothing is fetched"),
            ("/glyphs/00000000-0000-4000-8000-000000000000.png", "no such prediction"),
            ("https://host/glyphs/00000000-0000-4000-8000-000000000000.png", "Nothing is"),
            ("data:image/png;base64,!!!!", "not valid base64"),
            ("data:text/html,<script>", "data URL that begins"),
            (None, "no text"),
            (7, "no text"),
            ([], "no text"),
            ("", "no text"),
        ],
    )
    def test_what_is_not_ours_is_not_fetched(
        self,
        client: Client,
        live_version: ModelVersion,
        monkeypatch: pytest.MonkeyPatch,
        image: Any,
        said: str,
    ):
        def refuse(*arguments: Any, **named: Any) -> None:
            raise AssertionError("something was asked for over the network")

        first = predict(client, data_url())
        assert first.status_code == 200
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        (found,) = predict(client, image).json()["results"]
        assert (found["result"], found["score"]) == ([], None)
        assert said in found["reason"]

    def test_every_task_has_its_result_in_its_place(
        self, client: Client, live_version: ModelVersion, caplog: pytest.LogCaptureFixture
    ):
        with caplog.at_level(logging.INFO, "predictions.api.label_studio"):
            answer = predict(
                client, "http://host/a.png", data_url(), data_url(canvas()), data_url(a_one())
            )
        assert [bool(each["result"]) for each in answer.json()["results"]] == [
            False, True, False, True,
        ]  # fmt: skip
        assert "2 read, 1 not_fetched, 1 no_ink" in caplog.text
        assert "base64" not in caplog.text.replace("data:image/png;base64,…", "")

    def test_more_tasks_than_one_forward_pass_takes(
        self, client: Client, live_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("predictions.api.label_studio.BATCH_MOST", 2)
        results = predict(client, *[data_url()] * 5).json()["results"]
        assert len([each for each in results if each["result"]]) == 5

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (config(DIGITS[1:]), "lack 0"),
            ("<View/>", "no <Image"),
            ("", "not XML"),
            ('<!DOCTYPE x [<!ENTITY a "b">]><View/>', "document type"),
        ],
    )
    def test_a_project_that_asks_something_else_gets_the_reason_for_each_task(
        self, client: Client, live_version: ModelVersion, text: str, said: str
    ):
        results = predict(client, data_url(), data_url(), text=text).json()["results"]
        assert len(results) == 2
        assert all(each["result"] == [] and said in each["reason"] for each in results)

    @pytest.mark.parametrize(
        "body",
        [{}, {"tasks": []}, {"tasks": {}, "label_config": ""}, {"tasks": [7], "label_config": ""},
         {"tasks": [], "label_config": 7}, {"tasks": [{}] * 1001, "label_config": ""}],
    )  # fmt: skip
    def test_what_makes_no_sense_is_refused(self, client: Client, live_version: Any, body: Any):
        answer = post_json(client, f"{BACKEND}/predict", body)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "invalid"

    @pytest.mark.parametrize(
        ("count", "code", "said"),
        [(985_000, "bad_request", "1,970,002 parts"), (40_000, "invalid", "At most 1,000"),
         (1_001, "invalid", "At most 1,000")],
    )  # fmt: skip
    def test_of_too_many_tasks_none_is_looked_at(
        self,
        client: Client,
        live_version: Any,
        monkeypatch: pytest.MonkeyPatch,
        count: int,
        code: str,
        said: str,
    ):
        looked: list[object] = []
        monkeypatch.setattr(serializers.DictField, "run_validation", looked.append)
        body = b'{"label_config":"","tasks":[' + b"{}," * (count - 1) + b"{}]}"
        answer = client.post(f"{BACKEND}/predict", body, content_type="application/json")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
        assert said in answer.json()["error"]["message"]
        assert not looked

    def test_a_body_of_many_megabytes_is_read(self, client: Client, live_version: ModelVersion):
        sent = [task(data_url()) | {"notes": "x" * 400_000} for _ in range(100)]
        body = {"tasks": sent, "label_config": config()}
        answer = post_json(client, f"{BACKEND}/predict", body)
        assert answer.status_code == 200
        assert len([each for each in answer.json()["results"] if each["result"]]) == 100

    def test_a_body_beyond_what_is_meant_is_refused(self, client: Client, live_version: Any):
        answer = post_json(client, f"{BACKEND}/predict", {"notes": "x" * 48_000_000})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
        assert "48 MB" in answer.json()["error"]["message"]

    def test_without_a_version_it_is_unavailable(self, client: Client):
        assert predict(client, data_url()).status_code == 503
        assert client.get(f"{BACKEND}/health").status_code == 503

    def test_tasks_count_against_the_limit_of_previews(
        self, client: Client, live_version: ModelVersion, settings: Any
    ):
        settings.PREVIEWS_PER_MINUTE = 5
        assert predict(client, *[data_url()] * 4).status_code == 200
        assert predict(client, *[data_url()] * 2).status_code == 429
        assert predict(client, data_url()).status_code == 200

    def test_named_predictions_cost_one_query_however_many(
        self, client: Client, live_version: ModelVersion, django_assert_num_queries: Any
    ):
        addresses = [f"/glyphs/{make_prediction().public_id}.png" for _ in range(20)]
        predict(client, data_url())
        with django_assert_num_queries(2):  # and whose token it is
            assert len(predict(client, *addresses).json()["results"]) == 20


class TestConnecting:
    @pytest.mark.parametrize("slash", ["", "/"])
    def test_both_spellings_answer_without_a_redirect(
        self, client: Client, live_version: ModelVersion, slash: str
    ):
        for path in ("", "/health"):
            answer = client.get(f"{BACKEND}{path}{slash}")
            assert (answer.status_code, answer.json()["status"]) == (200, "UP")
        answer = client.get(f"{BACKEND}/versions{slash}")
        assert answer.json() == {"versions": [live_version.name]}
        answer = post_json(client, f"{BACKEND}/setup{slash}", {"schema": config()})
        assert answer.json() == {"model_version": live_version.name, "problem": None}
        body = {"tasks": [task(data_url())], "label_config": config()}
        assert post_json(client, f"{BACKEND}/predict{slash}", body).status_code == 200

    def test_a_config_that_cannot_be_used_is_told_at_once(self, client: Client, live_version: Any):
        said = {
            "project": "1.1732179200", "schema": "<View></View>", "hostname": "http://host:8080",
            "access_token": "not-ours-to-know", "extra_params": None,
        }  # fmt: skip
        answer = post_json(client, f"{BACKEND}/setup", said)
        assert answer.status_code == 200
        assert "no <Image" in answer.json()["problem"]

    def test_the_projects_own_token_is_in_no_log_line(
        self, client: Client, live_version: Any, caplog: pytest.LogCaptureFixture
    ):
        with caplog.at_level(logging.DEBUG):
            post_json(client, f"{BACKEND}/setup", {"access_token": "not-ours-to-know"})
        assert "not-ours" not in caplog.text


class TestWhoComesIn:
    @pytest.mark.parametrize("path", ["", "/health", "/versions", "/setup", "/predict", "/webhook"])
    def test_nobody_comes_in_without_saying_who(
        self, secret: str, live_version: ModelVersion, settings: Any, path: str
    ):
        def ask(client: Client) -> Any:
            if path in {"", "/health", "/versions"}:
                return client.get(BACKEND + path)
            body = {"tasks": [task(data_url())], "label_config": config(), "action": "X"}
            return post_json(client, BACKEND + path, body)

        refused = ask(Client())
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "not_signed_in")
        assert refused["WWW-Authenticate"]
        assert ask(Client(headers={"authorization": basic(secret)})).status_code == 200
        settings.LABEL_STUDIO_ANONYMOUS = True
        assert ask(Client()).status_code == 200

    @pytest.mark.parametrize("name", ["ada", "", "anything"])
    def test_a_token_is_the_password(
        self, client: Client, live_version: ModelVersion, secret: str, name: str
    ):
        answer = predict(client, data_url(), authorization=basic(secret, name))
        assert answer.status_code == 200
        assert Token.objects.get().last_used_at is not None

    def test_a_token_may_be_shown_as_everywhere(
        self, client: Client, live_version: ModelVersion, secret: str
    ):
        assert predict(client, data_url(), authorization=f"Bearer {secret}").status_code == 200

    @pytest.mark.parametrize(
        "shown",
        [basic("ink_00000000_nothing"), basic("correct-horse-battery"), "Basic", "Basic !!!",
         "Basic " + base64.b64encode(b"no colon").decode(),
         "Basic " + base64.b64encode(b"\xff\xfe:x").decode()],
    )  # fmt: skip
    def test_a_bad_password_is_refused_whatever_else_is_open(
        self, client: Client, live_version: ModelVersion, secret: str, shown: str
    ):
        answer = predict(client, data_url(), authorization=shown)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "not_signed_in"
        assert client.get(f"{BACKEND}/health", headers={"authorization": shown}).status_code == 401

    def test_a_revoked_token_is_refused_by_the_next_request(
        self, client: Client, live_version: ModelVersion, secret: str
    ):
        revoke(Token.objects.all())
        assert predict(client, data_url(), authorization=basic(secret)).status_code == 401

    def test_another_scope_is_not_enough(self, client: Client, live_version: ModelVersion):
        for scope in ("label", "train", "read"):
            secret = make_token(make_user(scope), name=scope, scopes=[scope])[1]
            answer = predict(client, data_url(), authorization=basic(secret))
            assert (answer.status_code, scope) == (403, scope)

    def test_a_password_opens_nothing_else(self, client: Client, secret: str):
        answer = client.get("/api/v1/predictions/", headers={"authorization": basic(secret)})
        assert answer.status_code == 200  # a visitor's own, of which there are none
        make_prediction(user=Token.objects.get().owner)
        again = client.get("/api/v1/predictions/", headers={"authorization": basic(secret)})
        assert again.json()["results"] == []
