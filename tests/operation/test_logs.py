"""Log lines: one id from the proxy to the last line, and nothing secret in any of them."""

from __future__ import annotations

import json
import logging
import runpy
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.decorators import login_not_required
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from gunicorn.config import Config

from config.logs import JsonLines, TextLines, WithoutPaths
from config.urls import urlpatterns as ours
from predictions.models import ModelVersion, Sighting
from predictions.operation import trace
from tests.factories import make_ada, make_prediction, png
from tests.migrated import prepare
from tests.operation import production
from tests.operation.installation import ROOT, until

pytestmark = pytest.mark.django_db
GIVEN = "balancer-4711.abc"


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLines())
        self.addFilter(WithoutPaths())  # as the console has it
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def objects(self, logger: str) -> list[dict[str, Any]]:
        return [line for text in self.lines if (line := json.loads(text))["logger"] == logger]


@pytest.fixture
def kept() -> Iterator[Kept]:
    """Every line there is, as JSON."""
    handler, root, access = Kept(), logging.getLogger(), logging.getLogger("inkloop.access")
    level = access.level
    root.addHandler(handler)
    access.setLevel(logging.INFO)
    yield handler
    access.setLevel(level)
    root.removeHandler(handler)


@login_not_required
def broken(request: HttpRequest, secret: str) -> HttpResponse:
    raise RuntimeError("on purpose")


urlpatterns = [*ours, path("broken/<str:secret>/", broken, name="broken")]


def test_every_answer_and_every_line_of_its_request_have_one_id(
    client: Client, live_version: ModelVersion, kept: Kept
) -> None:
    made = make_prediction()
    answer = client.post(f"/api/v1/predictions/{made.public_id}/feedback/", {"digit": 3})
    assert uuid.UUID(hex=answer["X-Request-ID"])
    ids = {line["request_id"] for line in map(json.loads, kept.lines)}
    assert ids == {answer["X-Request-ID"]}
    (line,) = kept.objects("inkloop.access")
    assert line["route"] == "predictions_api:feedback" or "feedback" in line["route"]
    assert line["status"] == answer.status_code
    assert line["ms"] > 0
    assert client.get("/")["X-Request-ID"] != answer["X-Request-ID"]
    assert trace.current() == ""


def test_a_proxys_id_is_taken_over_and_a_strangers_is_not(client: Client, settings: Any) -> None:
    headers = {"X-Request-ID": GIVEN, "X-Forwarded-For": "192.0.2.7"}
    assert client.get("/healthz", headers=headers)["X-Request-ID"] != GIVEN
    settings.PROXY_COUNT = 1
    assert client.get("/healthz", headers=headers)["X-Request-ID"] == GIVEN


@pytest.mark.parametrize("bad", ["short", "x" * 65, "two\nlines-long", "a b c d e f g h", "…" * 9])
def test_an_id_that_could_do_harm_is_replaced(client: Client, settings: Any, bad: str) -> None:
    settings.PROXY_COUNT = 1
    assert client.get("/healthz", HTTP_X_REQUEST_ID=bad)["X-Request-ID"] != bad


def test_no_line_names_a_query_a_body_an_address_or_an_id_that_opens_something(
    client: Client, live_version: ModelVersion, kept: Kept
) -> None:
    made = make_prediction()
    ada = make_ada()
    client.get("/accounts/reset/MQ/c0ffee-CANARY1/?token=CANARY2")
    client.get(f"/predictions/{made.public_id}/?q=CANARY3")
    client.get("/nothing/CANARY4/")
    client.get("/", HTTP_HOST="CANARY5.example.org")
    client.post("/accounts/login/", {"username": "CANARY6", "password": "CANARY7"})
    client.post("/", {"image": SimpleUploadedFile("CANARY8.png", png())})
    client.force_login(ada)
    client.get("/label/")
    text = "".join(kept.lines)
    assert "CANARY" not in text.replace("CANARY5.example.org", "")  # the host is what is wrong
    assert str(made.public_id) not in text
    assert ada.email not in text
    assert "127.0.0.1" not in text
    assert kept.objects("inkloop.access")[-1]["user"] == ada.pk


@pytest.mark.urls(__name__)
def test_a_fault_is_told_with_its_traceback_and_its_route_alone(kept: Kept) -> None:
    answer = Client(raise_request_exception=False).get("/broken/CANARY/?q=CANARY")
    assert answer.status_code == 500
    (line,) = kept.objects("django.request")
    assert line["level"] == "ERROR"
    assert "on purpose" in line["error"]
    assert line["message"] == "Internal Server Error: broken"
    assert line["request_id"] == answer["X-Request-ID"]
    assert "CANARY" not in "".join(kept.lines)


def test_a_refusal_is_told_by_its_access_line_alone(client: Client, kept: Kept) -> None:
    assert client.get("/nothing/").status_code == 404
    assert kept.objects("django.request") == []
    (line,) = kept.objects("inkloop.access")
    assert (line["status"], line["route"]) == (404, "unrouted")


def test_health_is_asked_without_a_line(client: Client, kept: Kept) -> None:
    client.get("/healthz")
    assert kept.objects("inkloop.access") == []


def test_a_line_stays_a_line_whatever_it_says() -> None:
    record = logging.LogRecord("x", logging.INFO, "f", 1, "two\nlines %s", ("“ö”",), None)
    assert len(JsonLines().format(record).splitlines()) == 1
    assert json.loads(JsonLines().format(record))["message"] == "two\nlines “ö”"


def test_on_a_terminal_the_id_stands_at_the_end() -> None:
    record = logging.LogRecord("x", logging.INFO, "f", 1, "done", (), None)
    assert TextLines().format(record).endswith("INFO x: done")
    with trace.within(GIVEN):
        assert TextLines().format(record).endswith(f"INFO x: done [{GIVEN}]")


@pytest.mark.parametrize(
    "path", ["/", "/accounts/login/", "/api/v1/predictions/", "/api/v1/predictions/batch/"]
)
def test_too_many_fields_are_refused_without_a_traceback(kept: Kept, path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.get("/accounts/login/")  # with the cookie, it looks for the token in the form
    answer = client.post(path, {f"field{at}": "x" for at in range(1_001)})
    assert answer.status_code == 400
    assert kept.lines
    assert "Traceback" not in "".join(kept.lines)


def test_lines_of_others_are_left_alone() -> None:
    record = logging.LogRecord("django.request", logging.WARNING, "f", 1, "hello", (), None)
    assert WithoutPaths().filter(record)


# -- what requests show of the way they came ------------------------------------------------------


def test_a_proxy_nobody_counted_and_a_way_around_it_are_written_down_once(
    client: Client, settings: Any
) -> None:
    for _ in range(3):
        client.get("/nothing/", headers={"X-Forwarded-For": "192.0.2.7"})
    settings.PROXY_COUNT = 1
    client.get("/nothing/", headers={"X-Forwarded-For": "192.0.2.7"})
    assert list(Sighting.objects.values_list("kind", "count")) == [("forwarded", 1)]
    client.get("/nothing/")
    assert set(Sighting.objects.values_list("kind", flat=True)) == {"forwarded", "direct"}


def test_what_a_job_logs_names_the_job() -> None:
    from training.workers.cluster import note_start_of_job

    with trace.within(""):
        note_start_of_job(None, {"id": "4711"})
        assert trace.current() == "job-4711"


# -- the web server's own log ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installation")
    prepare(folder)
    production.manage(production.production(folder), "migrate", "-v0")
    return folder


@pytest.mark.same_on_any_database
@pytest.mark.parametrize(
    ("log_format", "access_log"), [("json", "true"), ("json", "false"), ("text", "false")]
)
def test_no_line_of_a_real_web_server_names_an_address(
    migrated: Path, log_format: str, access_log: str
) -> None:
    made = {"LOG_FORMAT": log_format, "ACCESS_LOG": access_log, "LOG_LEVEL": "info"}
    with production.web(migrated, **made) as web:
        assert web.ask("GET", "/accounts/reset/MQ/c0ffee-CANARY/?token=CANARY").status == 200
        assert web.ask("GET", f"/predictions/{uuid.uuid4()}/?q=CANARY").status == 404
        from_elsewhere = f"https://{production.HOST}:99/CANARY/"
        for headers in ({}, {"Referer": from_elsewhere}, {"Origin": from_elsewhere[:-8]}):
            refused = web.ask(
                "POST", "/accounts/reset/MQ/CANARY/", body="new_password1=CANARY", **headers
            )
            assert refused.status == 403
        with socket.create_connection(("127.0.0.1", web.port)) as raw:
            raw.sendall(b"GET /accounts/reset/MQ/CANARY/ HTTP/CANARY\r\n\r\n")
            assert b"400" in raw.recv(1000)
        until(lambda: "Invalid request" in web.log, what="the refusal is told")
    assert "CANARY" not in web.log
    assert web.log.count("): password_reset_confirm") == 3  # a failed check names its route
    if log_format == "json":
        lines = [json.loads(line) for line in web.log.splitlines()]
        told = [line["status"] for line in lines if line["logger"] == "inkloop.access"]
        assert told == ([200, 404, 403, 403, 403] if access_log == "true" else [])


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_fault_in_the_web_server_itself_is_told_without_its_address(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], log_format: str
) -> None:
    monkeypatch.setenv("LOG_FORMAT", log_format)
    monkeypatch.setenv("LOCK_TIMEOUT", "3")  # which the file would set for good
    for logger in map(logging.getLogger, ("gunicorn.error", "gunicorn.access")):
        monkeypatch.setattr(logger, "handlers", [])  # pytest's own keep their format
        monkeypatch.setattr(logger, "propagate", logger.propagate)
    config = runpy.run_path(str(ROOT / "config" / "gunicorn.py"))
    log = config["logger_class"](Config())
    try:
        raise RuntimeError("on purpose")
    except RuntimeError:
        log.exception("Error handling request %s %s", "GET", "/predictions/CANARY/")
    told = capfd.readouterr().err
    assert "Error handling request" in told
    assert "on purpose" in told
    assert "CANARY" not in told
