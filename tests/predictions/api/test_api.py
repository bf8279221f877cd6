from __future__ import annotations

import io
import json
import uuid
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from predictions.glyphs.glyph import decode_glyph, glyph_of
from predictions.models import Drawing, ModelVersion, Prediction
from predictions.serving.registry import install_base
from tests.factories import (
    a_one,
    canvas,
    data_url,
    make_ada,
    make_live,
    make_prediction,
    png,
)

pytestmark = pytest.mark.django_db
PREDICTIONS = "/api/v1/predictions/"


def post_json(client: Client, url: str, body: Any) -> Any:
    return client.post(url, json.dumps(body), content_type="application/json")


def post_file(client: Client, url: str = PREDICTIONS, content: bytes | None = None) -> Any:
    return client.post(url, {"image": SimpleUploadedFile("x.png", content or png())})


class TestCapturing:
    def test_a_posted_file_is_read_and_stored(self, client: Client, live_version: ModelVersion):
        answer = post_file(client)
        assert answer.status_code == 201
        body = answer.json()
        stored = Prediction.objects.get(public_id=body["id"])
        assert body["digit"] == stored.digit == 7
        assert body["model"] == live_version.name
        assert len(body["probabilities"]) == 10
        assert sum(body["probabilities"]) == pytest.approx(1, abs=1e-5)
        assert body["probabilities"] == pytest.approx(stored.probabilities, abs=1e-6)
        assert stored.source == Prediction.Source.API
        assert Drawing.objects.filter(prediction=stored).exists()

    @pytest.mark.parametrize("is_digit", [True, False])
    def test_every_answer_says_whether_it_is_a_digit(self, client: Client, is_digit: bool):
        install_base()
        star = canvas([(20, 140), (260, 140)], [(140, 20), (140, 260)], [(55, 55), (225, 225)])
        content = png() if is_digit else png(star)
        stored = post_file(client, content=content).json()
        shown = client.get(f"{PREDICTIONS}{stored['id']}/").json()
        preview = post_file(client, f"{PREDICTIONS}preview/", content).json()
        (in_batch,) = client.post(
            f"{PREDICTIONS}batch/", {"images": [SimpleUploadedFile("x.png", content)]}
        ).json()["results"]
        for answer in (stored, shown, preview, in_batch):
            assert answer["is_digit"] is is_digit
            assert (answer["strangeness"] < 0.5) is is_digit

    def test_a_data_url_is_read_like_the_file(self, client: Client, live_version: ModelVersion):
        by_file = post_file(client).json()
        by_url = post_json(client, PREDICTIONS, {"image": data_url()}).json()
        assert by_url["probabilities"] == by_file["probabilities"]

    def test_the_page_says_that_it_was_drawn(self, client: Client, live_version: ModelVersion):
        post_json(client, PREDICTIONS, {"image": data_url(), "source": "draw"})
        assert Prediction.objects.get().source == Prediction.Source.DRAW

    def test_storing_costs_two_inserts_in_one_transaction(
        self, client: Client, live_version: ModelVersion, django_assert_num_queries: Any
    ):
        make_prediction()
        post_file(client)  # loads the model, and learns that somebody has drawn here
        with django_assert_num_queries(4):  # savepoint, two inserts, release
            post_file(Client())  # whom nobody has seen before

    def test_a_blank_canvas_is_refused_and_nothing_is_stored(
        self, client: Client, live_version: ModelVersion
    ):
        answer = post_file(client, content=png(canvas()))
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == "no_ink"
        assert not Prediction.objects.exists()

    @pytest.mark.parametrize(
        "body", [{}, {"image": 7}, {"image": "no data url"}, {"image": None}, {"image": ["x"]}]
    )
    def test_a_body_without_an_image_is_refused(
        self, client: Client, live_version: ModelVersion, body: Any
    ):
        answer = post_json(client, PREDICTIONS, body)
        assert 400 <= answer.status_code < 500
        assert answer.json()["error"]["message"]

    @pytest.mark.parametrize("body", ["[1]", "{", '{"image": NaN}', "[" * 100_000, "\x00", '"x"'])
    def test_odd_json_is_refused_with_the_one_error_shape(
        self, client: Client, live_version: ModelVersion, body: str
    ):
        answer = client.post(PREDICTIONS, body, content_type="application/json")
        assert answer.status_code == 400
        assert set(answer.json()["error"]) <= {"code", "message", "fields"}

    def test_a_body_over_the_limit_is_refused_before_it_is_read(
        self, client: Client, live_version: ModelVersion
    ):
        answer = post_file(client, content=b"x" * 3_000_001)
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "too_large"

    def test_without_a_sound_model_the_answer_is_503(self, client: Client, db: None):
        answer = post_file(client)
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "no_model"

    def test_the_audit_is_drawn_at_the_set_rate(
        self, client: Client, live_version: ModelVersion, settings: Any
    ):
        settings.AUDIT_RATE = 1.0
        post_file(client)
        settings.AUDIT_RATE = 0.0
        post_file(client)
        drawn, left = Prediction.objects.order_by("pk")
        assert (drawn.is_audit, drawn.audit_probability) == (True, 1.0)
        assert (left.is_audit, left.audit_probability) == (False, 0.0)


def seven_beside_one() -> Image.Image:
    """A seven on the left half, a one on the right."""
    return canvas([(40, 90), (110, 90), (70, 200)], [(210, 80), (210, 200)], width=12)


LEFT, RIGHT = [0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]


class TestBoxes:
    """A program or a person may say which part of the picture is to be read."""

    def test_only_what_is_in_the_box_is_read_and_stored(
        self, client: Client, live_version: ModelVersion
    ):
        image = data_url(seven_beside_one())
        read = [
            post_json(client, PREDICTIONS, {"image": image, "box": box}) for box in (LEFT, RIGHT)
        ]
        assert [answer.status_code for answer in read] == [201, 201]
        drawings = [
            Image.open(io.BytesIO(drawing.png))
            for drawing in Drawing.objects.order_by("prediction")
        ]
        assert [drawing.size for drawing in drawings] == [(47, 94), (47, 94)]
        glyphs = [decode_glyph(bytes(each.glyph)) for each in Prediction.objects.order_by("pk")]
        whole = canvas([(40, 90), (110, 90), (70, 200)], width=12)
        assert (glyphs[0] == glyph_of(whole)).all()
        assert (glyphs[1] == glyph_of(canvas([(210, 80), (210, 200)], width=12))).all()

    def test_without_a_box_more_than_one_digit_is_refused_in_words(
        self, client: Client, live_version: ModelVersion
    ):
        answer = post_json(client, PREDICTIONS, {"image": data_url(seven_beside_one())})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "several_digits")
        assert "more than one digit in the image: crop it" in answer.json()["error"]["message"]
        assert not Prediction.objects.exists()

    def test_a_form_sends_the_box_with_commas(self, client: Client, live_version: ModelVersion):
        form = {"image": SimpleUploadedFile("x.png", png(seven_beside_one())), "box": "0.5,0,1,1.0"}
        answer = client.post(PREDICTIONS + "preview/", form)
        assert answer.status_code == 200
        by_json = {"image": data_url(seven_beside_one()), "box": RIGHT}
        assert answer.json() == post_json(client, PREDICTIONS + "preview/", by_json).json()

    def test_a_preview_says_where_the_ink_was_found(
        self, client: Client, live_version: ModelVersion
    ):
        url, image = PREDICTIONS + "preview/", data_url(canvas([(40, 90), (40, 200)], width=12))
        alone = post_json(client, url, {"image": image}).json()["box"]
        assert alone == pytest.approx([35 / 280, 90 / 280, 47 / 280, 201 / 280], abs=2 / 280)
        within = post_json(client, url, {"image": image, "box": LEFT}).json()["box"]
        assert within == pytest.approx(alone)
        nearer = {"image": image, "box": [0.05, 0.2, 0.6, 0.9]}
        assert post_json(client, url, nearer).json()["box"] == pytest.approx(alone)

    @pytest.mark.parametrize(
        "box",
        [None, [], [0, 0, 1], [0, 0, 1, 1, 1], [0, 0, 1, 1.1], [-0.1, 0, 1, 1], [0, 0, True, 1],
         [0, 0, "1", 1], "0,0,1,1", {"left": 0}],
    )  # fmt: skip
    def test_what_is_no_box_is_refused(self, client: Client, live_version: ModelVersion, box: Any):
        answer = post_json(client, PREDICTIONS, {"image": data_url(), "box": box})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid")
        assert any(name.startswith("box") for name in answer.json()["error"]["fields"])
        assert not Prediction.objects.exists()

    @pytest.mark.parametrize(
        "box", ["", "0,0,1", "0,0,1,2", "0,0,1,1,1", "a", "[0,0,1,1]", "0 ,0,1,1"]
    )
    def test_what_is_no_box_in_a_form_is_refused(
        self, client: Client, live_version: ModelVersion, box: str
    ):
        form = {"image": SimpleUploadedFile("x.png", png()), "box": box}
        answer = client.post(PREDICTIONS, form)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid")
        assert "box" in answer.json()["error"]["fields"]

    @pytest.mark.parametrize("box", [[0.5, 0, 0.5, 1], [0.6, 0, 0.4, 1], [0, 1, 1, 0]])
    def test_a_box_without_an_area_is_refused(
        self, client: Client, live_version: ModelVersion, box: Any
    ):
        answer = post_json(client, PREDICTIONS, {"image": data_url(), "box": box})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "box_refused")

    def test_the_smallest_box_holds_no_ink_and_does_no_harm(
        self, client: Client, live_version: ModelVersion
    ):
        for box in ([0, 0, 1e-9, 1e-9], [1 - 1e-9, 1 - 1e-9, 1, 1], [0.4, 0.4, 0.4 + 1e-12, 1]):
            answer = post_json(client, PREDICTIONS, {"image": data_url(), "box": box})
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "no_ink")


class TestPreviewing:
    def test_a_preview_says_the_same_and_stores_nothing(
        self, client: Client, live_version: ModelVersion
    ):
        preview = post_json(client, PREDICTIONS + "preview/", {"image": data_url()})
        assert preview.status_code == 200
        assert not Prediction.objects.exists()
        stored = post_file(client).json()
        assert set(preview.json()) == {*stored, "box"}
        assert preview.json()["probabilities"] == stored["probabilities"]
        assert preview.json()["id"] is None
        assert preview.json()["glyph_url"].startswith("data:image/png;base64,")


class TestBatches:
    def batch(self, client: Client, *files: bytes) -> Any:
        images = [SimpleUploadedFile(f"{at}.png", content) for at, content in enumerate(files)]
        return client.post(PREDICTIONS + "batch/", {"images": images})

    def test_answers_come_in_the_order_sent_with_refusals_in_place(
        self, client: Client, live_version: ModelVersion
    ):
        answer = self.batch(client, png(), b"no image", png(a_one()), png(canvas()))
        assert answer.status_code == 201
        first, broken, third, blank = answer.json()["results"]
        assert Prediction.objects.count() == 2
        assert broken["error"]["code"].startswith("image_")
        assert blank["error"]["code"] == "no_ink"
        alone = post_file(client, content=png(a_one())).json()
        assert third["probabilities"] == pytest.approx(alone["probabilities"], abs=1e-5)
        assert first["id"] != third["id"]

    def test_a_batch_of_refusals_stores_nothing(self, client: Client, live_version: ModelVersion):
        answer = self.batch(client, b"x", b"y")
        assert [set(result) for result in answer.json()["results"]] == [{"error"}, {"error"}]
        assert not Prediction.objects.exists()

    def test_a_batch_is_one_insert_however_long(
        self, client: Client, live_version: ModelVersion, django_assert_num_queries: Any
    ):
        self.batch(client, png())
        with django_assert_num_queries(4):
            self.batch(client, *[png()] * 20)

    def test_a_drawing_in_a_batch_is_stored_like_one_alone(
        self, client: Client, live_version: ModelVersion
    ):
        post_file(client)
        self.batch(client, png(), png())
        rounded = {"confidence", "probabilities", "strangeness"}  # as many glyphs at once do
        own = {"id", "public_id", "source", "created_at"} | rounded
        alone, *batch = (
            {name: value for name, value in row.items() if name not in own}
            for row in Prediction.objects.order_by("pk").values()
        )
        assert batch == [alone, alone]
        assert len(set(Drawing.objects.values_list("png", flat=True))) == 1

    def test_an_empty_batch_and_one_too_long_are_refused(
        self, client: Client, live_version: ModelVersion
    ):
        assert self.batch(client).status_code == 400
        assert self.batch(client, *[b"x"] * 257).status_code == 400
        assert not Prediction.objects.exists()


class TestReading:
    def test_who_holds_the_id_may_read_it(self, client: Client, live_version: ModelVersion):
        made = post_file(client).json()
        assert Client().get(f"{PREDICTIONS}{made['id']}/").json() == made

    def test_an_unknown_id_is_not_found(self, client: Client, live_version: ModelVersion):
        answer = client.get(f"{PREDICTIONS}{uuid.uuid4()}/")
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"

    def test_the_list_holds_own_ones_alone(self, client: Client, live_version: ModelVersion):
        own = post_file(client).json()["id"]
        post_file(Client())
        signed_in = Client()
        signed_in.force_login(make_ada())
        of_ada = post_file(signed_in).json()["id"]
        assert [row["id"] for row in client.get(PREDICTIONS).json()["results"]] == [own]
        assert [row["id"] for row in signed_in.get(PREDICTIONS).json()["results"]] == [of_ada]
        assert Client().get(PREDICTIONS).json() == {"results": [], "next": None}

    def test_a_forged_visitor_cookie_owns_nothing(self, client: Client, live_version: ModelVersion):
        post_file(client)
        thief = Client()
        visitor = Prediction.objects.get().visitor
        thief.cookies["visitor"] = f"{visitor}:1abcde:forged"
        assert thief.get(PREDICTIONS).json()["results"] == []

    def test_pages_follow_each_other_without_gap_or_repeat(
        self, client: Client, live_version: ModelVersion
    ):
        ada = make_ada()
        made = [str(make_prediction(user=ada).public_id) for _ in range(5)]
        client.force_login(ada)
        seen, url = [], f"{PREDICTIONS}?limit=2"
        while url:
            page = client.get(url).json()
            seen += [row["id"] for row in page["results"]]
            url = page["next"]
        assert seen == made[::-1]

    def test_a_page_asks_as_many_queries_for_20_rows_as_for_1(
        self, client: Client, live_version: ModelVersion, django_assert_num_queries: Any
    ):
        ada = make_ada()
        client.force_login(ada)
        make_prediction(user=ada)
        with django_assert_num_queries(3):  # session, user, page
            client.get(PREDICTIONS)
        for _ in range(20):
            make_prediction(user=ada)
        with django_assert_num_queries(3):
            client.get(PREDICTIONS)

    @pytest.mark.parametrize(
        "query",
        ["limit=0", "limit=101", "limit=x", "before=7", "user__password=x", "ordering=user"],
    )
    def test_parameters_that_are_not_offered_are_refused(
        self, client: Client, live_version: ModelVersion, query: str
    ):
        answer = client.get(f"{PREDICTIONS}?{query}")
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "invalid"

    def test_pictures_may_be_kept_for_ever(self, client: Client, live_version: ModelVersion):
        made = post_file(client).json()
        for url in (made["glyph_url"], made["glyph_url"].replace("glyphs", "drawings")):
            answer = client.get(url)
            assert answer["Content-Type"] == "image/png"
            assert "immutable" in answer["Cache-Control"]
            assert answer["X-Content-Type-Options"] == "nosniff"
            assert answer.content.startswith(b"\x89PNG")
        assert client.get(f"/glyphs/{uuid.uuid4()}.png").status_code == 404


class TestHeaders:
    @pytest.mark.parametrize("accept", [None, "*/*", "application/json", "text/html, */*;q=0.1"])
    def test_the_answer_is_json_for_whoever_takes_it(
        self, client: Client, live_version: ModelVersion, accept: str | None
    ):
        answer = client.get(PREDICTIONS, headers={"accept": accept} if accept else {})
        assert answer.status_code == 200
        assert answer["Content-Type"] == "application/json"

    def test_whoever_does_not_is_refused(self, client: Client, live_version: ModelVersion):
        assert client.get(PREDICTIONS, headers={"accept": "text/html"}).status_code == 406

    @pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
    def test_a_body_is_read_as_what_its_header_names(
        self, client: Client, live_version: ModelVersion, kind: str
    ):
        body = json.dumps({"image": data_url()})
        assert client.post(PREDICTIONS, body, content_type=kind).status_code == 201

    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/jsonl", f"application/json; {'x' * 300}=1"]
    )
    def test_a_body_of_another_kind_is_refused(
        self, client: Client, live_version: ModelVersion, kind: str
    ):
        body = json.dumps({"image": data_url()})
        assert client.post(PREDICTIONS, body, content_type=kind).status_code == 415


class TestErrors:
    def test_an_unknown_address_has_the_one_error_shape(self, client: Client, db: None):
        answer = client.get("/api/v1/nothing/")
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"

    def test_a_method_that_is_not_offered_has_it_too(self, client: Client, db: None):
        answer = client.delete(PREDICTIONS)
        assert answer.status_code == 405
        assert answer.json()["error"]["code"] == "method_not_allowed"


def test_a_promotion_is_served_by_the_next_request_after_a_look(
    client: Client, live_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
):
    assert post_file(client).json()["digit"] == 7
    newer = make_live("toy-2", favorite=3)
    monkeypatch.setattr("predictions.serving.recognizer.LOOK_EVERY", 0)
    assert post_file(client).json()["model"] == newer.name
    assert post_file(client).json()["digit"] == 3
