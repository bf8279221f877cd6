"""What holds for every endpoint: one refusal shape, no unknown parameter, a described answer."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import get_resolver
from jsonschema import Draft202012Validator, FormatChecker

from predictions.api.endpoints import ApiEndpoint
from tests.architecture.doors import API, PARAMETER, doors
from tests.architecture.test_doors import doors as patterns_in
from tests.factories import make_user, make_version
from tests.predictions.api.test_api import PREDICTIONS, post_file
from tests.training.lessons import labeled

pytestmark = [pytest.mark.django_db, pytest.mark.same_on_any_database]  # shapes and words
SAMPLE = "00000000-0000-4000-8000-000000000000"
ENDPOINTS = sorted({door.route for door in doors() if door.route.startswith(API)})


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root", password="correct-horse-battery"))
    return client


def test_every_endpoint_behaves_like_the_others_and_names_its_scope():
    found = [
        (route, pattern.callback.cls)  # type: ignore[union-attr]
        for route, pattern in patterns_in(get_resolver().url_patterns)
        if route.startswith(API)
    ]
    assert len(found) > 25
    assert not [route for route, view in found if not issubclass(view, ApiEndpoint)]
    assert not [route for route, view in found if not view.scope]


@pytest.mark.parametrize("route", ENDPOINTS)
def test_an_unknown_parameter_is_refused(root: Client, route: str):
    path = "/" + PARAMETER.sub(SAMPLE, route)
    offered = root.options(path)["Allow"].split(", ")
    for method in {"GET", "POST"} & set(offered):
        answer = root.generic(method, f"{path}?user__password=x", content_type="application/json")
        assert answer.status_code == 400, method
        assert answer.json()["error"]["fields"] == {
            "user__password": ["There is no such parameter."]
        }


@pytest.mark.parametrize("route", ENDPOINTS)
def test_what_is_not_offered_is_refused_in_the_one_shape(root: Client, route: str):
    path = "/" + PARAMETER.sub(SAMPLE, route)
    for method in ("PUT", "PATCH", "DELETE", "TRACE"):
        answer = root.generic(method, path)
        assert answer.status_code == 405
        assert answer.json()["error"]["code"] == "method_not_allowed"
        assert answer["Allow"]


def test_the_description_is_sound_and_has_no_warning(tmp_path: Any):
    file = tmp_path / "schema.yaml"
    call_command(
        "spectacular", "--api-version=v1", "--fail-on-warn", "--validate", f"--file={file}"
    )
    assert "openapi: 3.1" in file.read_text()


def test_every_operation_has_an_example_and_every_endpoint_is_described(client: Client):
    schema = client.get("/api/schema/").json()
    described = {path.strip("/") for path in schema["paths"]}
    there = {PARAMETER.sub(r"{\1}", route).strip("/") for route in ENDPOINTS}
    assert described == there
    bare = [
        name
        for name, component in schema["components"]["schemas"].items()
        if component.get("type") == "object" and component.get("properties")
        and "example" not in component
    ]  # fmt: skip
    assert not bare


def test_every_example_is_what_its_schema_asks_for(client: Client):
    schema = client.get("/api/schema/").json()
    schemas = schema["components"]["schemas"]
    formats = FormatChecker(["uuid"])
    formats.checks("uri")(lambda value: "://" in value)
    formats.checks("date-time", raises=ValueError)(datetime.fromisoformat)
    for name, component in schemas.items():
        if "example" in component:
            full = {**component, "components": {"schemas": schemas}}
            wrong = list(
                Draft202012Validator(full, format_checker=formats).iter_errors(component["example"])
            )
            assert not wrong, (name, wrong)


def test_an_answer_holds_the_fields_its_description_names_and_no_other(root: Client):
    made = make_version("new")
    drawn = labeled(3)
    schema = root.get("/api/schema/").json()
    schemas = schema["components"]["schemas"]
    for component in schemas.values():
        if "properties" in component:
            component.setdefault("additionalProperties", False)
    asked = {
        "predictions/": "predictions/",
        "predictions/{public_id}/": f"predictions/{drawn.public_id}/",
        "labels/": "labels/",
        "labels/batches/": "labels/batches/",
        "labels/disputes/": "labels/disputes/",
        "labels/suspicious/": "labels/suspicious/",
        "labels/queue/": "labels/queue/",
        "labels/progress/": "labels/progress/",
        "versions/": "versions/",
        "versions/{name}/": f"versions/{made.name}/",
        "promotions/": "promotions/",
        "runs/": "runs/",
        "figures/": "figures/",
    }
    for path, address in asked.items():
        answers = schema["paths"][f"/api/v1/{path}"]["get"]["responses"]
        told = answers["200"]["content"]["application/json"]["schema"]
        answer = root.get(f"/api/v1/{address}")
        assert answer.status_code == 200, path
        checker = Draft202012Validator({**told, "components": {"schemas": schemas}})
        assert not list(checker.iter_errors(answer.json())), path


def test_every_operation_has_a_subject_a_title_and_words_for_its_answers(client: Client):
    schema = client.get("/api/schema/").json()
    subjects = {tag["name"] for tag in schema["tags"] if tag["description"]}
    for operation in (each for verbs in schema["paths"].values() for each in verbs.values()):
        assert set(operation["tags"]) <= subjects
        assert 5 < len(operation["summary"]) < 100
        assert "scope" in operation["description"]
        assert "default" in operation["responses"]
        assert all(len(each["description"]) > 4 for each in operation["responses"].values())
    used = {
        tag for verbs in schema["paths"].values() for each in verbs.values() for tag in each["tags"]
    }
    assert used == subjects


def test_an_idempotency_key_is_told_to_be_without_effect_where_no_answer_is_kept(client: Client):
    """docs/api.md names the same."""
    effects = {
        operation["operationId"]: each["description"]
        for verbs in client.get("/api/schema/").json()["paths"].values()
        for operation in verbs.values()
        for each in operation.get("parameters", [])
        if each["name"] == "Idempotency-Key"
    }
    assert "labels_create" in effects
    assert {name for name, effect in effects.items() if effect.startswith("Without effect")} == {
        "predictions_preview", "label_studio_setup", "label_studio_predict",
        "labels_next", "labels_grid", "labels_undo",
    }  # fmt: skip


def test_every_endpoint_is_documented_for_people():
    from tests.architecture.repository import ROOT

    text = (ROOT / "docs" / "api.md").read_text()
    missing = [r for r in ENDPOINTS if "/" + PARAMETER.sub(r"{\1}", r) not in text]
    assert not missing


def test_an_unchanged_description_is_not_sent_again(client: Client):
    first = client.get("/api/schema/")
    again = client.get("/api/schema/", headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


class TestLimitsTold:
    def test_a_caller_sees_how_much_is_left(self, client: Client, live_version: Any, settings: Any):
        settings.CAPTURES_PER_MINUTE = 3
        left = []
        for _ in range(3):
            answer = post_file(client)
            assert answer["RateLimit-Policy"] == '"captures";q=3;w=60'
            left.append(answer["RateLimit"].split(";")[1])
        assert left == ["r=2", "r=1", "r=0"]
        refused = post_file(client)
        assert refused.status_code == 429
        assert refused["RateLimit"].startswith('"captures";r=0;t=')
        assert int(refused["Retry-After"]) >= 1

    def test_where_nothing_is_counted_nothing_is_told(self, client: Client, live_version: Any):
        assert "RateLimit" not in post_file(client)
        assert "RateLimit" not in client.get(PREDICTIONS)


def test_answers_about_people_are_kept_by_no_proxy(client: Client):
    client.force_login(make_user("ada"))
    answer = client.get(PREDICTIONS)
    assert "private" in answer["Cache-Control"]
    assert {"Authorization", "Cookie"} <= {name.strip() for name in answer["Vary"].split(",")}


def test_an_error_inside_a_list_is_named_by_its_place(client: Client):
    client.force_login(make_user("ada", role="labeler"))
    body = {"labels": [{"id": SAMPLE, "token": SAMPLE, "request_id": SAMPLE, "digit": "7"}]}
    answer = client.post("/api/v1/labels/many/", json.dumps(body), content_type="application/json")
    assert answer.json()["error"]["fields"] == {"labels.0.digit": ["It is of another type."]}
