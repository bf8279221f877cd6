"""What every answer tells the browser, under production settings, for visitors and accounts."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from whitenoise.middleware import WhiteNoiseMiddleware

from tests.migrated import prepare
from tests.operation.installation import ROOT
from tests.operation.production import rendering

pytestmark = [
    pytest.mark.xdist_group("headers"),  # its tests share one probe
    pytest.mark.same_on_any_database,
]
ROUTES = [
    "/",
    "/predictions/",
    "/predictions/00000000-0000-4000-8000-000000000000/",
    "/glyphs/00000000-0000-4000-8000-000000000000.png",
    "/drawings/00000000-0000-4000-8000-000000000000.png",
    "/accounts/login/",
    "/accounts/logout/",
    "/accounts/password/",
    "/accounts/password/done/",
    "/accounts/reset/",
    "/accounts/reset/sent/",
    "/accounts/reset/done/",
    "/accounts/reset/MQ/set-password/",
    "/api/",
    "/api/schema/",
    "/api/v1/predictions/",
    "/api/v1/predictions/preview/",
    "/api/v1/predictions/00000000-0000-4000-8000-000000000000/",
    "/api/v1/nothing/",
    "/nothing/",
    "/healthz",
    "/readyz",
    "/admin/",
    "/admin/login/",
]
STRICT = ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]

# Asks each route as a visitor, as an account without a role and as an admin; draws and logs in.
PROBE = """
import json, sys
import django
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from tests.factories import data_url
call_command("migrate", verbosity=0)
call_command("install_base", stdout=sys.stderr)
PASSWORD = "correct-horse-battery"
people = {
    "visitor": None,
    "Cy": User.objects.create_user("cy", password=PASSWORD),
    "Ben": User.objects.create_superuser("ben", password=PASSWORD),
}
found = []
for person, account in people.items():
    client = Client(headers={"host": "digits.example.org", "x-forwarded-proto": "https"})
    client.raise_request_exception = False
    if account:
        client.force_login(account)
    sent = {"/api/v1/predictions/": {"image": data_url()}, "/predictions/erase/": {"sure": ""}}
    if account:
        sent["/accounts/login/"] = {"username": account.username, "password": PASSWORD}
    asked = [(route, None) for route in json.loads(sys.argv[1])]
    for route, form in [*asked, *sent.items()]:
        if form:
            client.logout()
        answer = client.post(route, form) if form else client.get(route)
        cookies = {name: dict(cookie) for name, cookie in answer.cookies.items()}
        found.append(
            {"person": person, "route": route, "status": answer.status_code,
             "headers": dict(answer.headers), "cookies": cookies}
        )
plain = Client(headers={"host": "digits.example.org"}).get("/accounts/login/")
print(json.dumps({"answers": found, "plain": [plain.status_code, plain.get("Location", "")]}))
"""


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("production")
    prepare(folder)
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(ROUTES)],
        cwd=ROOT,
        env=rendering(folder, LOG_LEVEL="critical"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_every_route_answers_every_person_without_a_fault(probed: Any) -> None:
    answers = [(a["person"], a["route"], a["status"]) for a in probed["answers"]]
    assert not [each for each in answers if each[-1] >= 500]
    assert {answer["person"] for answer in probed["answers"]} == {"visitor", "Cy", "Ben"}


def test_every_answer_carries_every_header(probed: Any) -> None:
    missing = []
    for answer in probed["answers"]:
        headers = {name.lower(): value for name, value in answer["headers"].items()}
        expected = {
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "x-frame-options": "DENY",
            "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
        }
        where = f"{answer['person']} {answer['route']}"
        missing += [
            f"{where} {name}" for name, value in expected.items() if headers.get(name) != value
        ]
        for name in ("permissions-policy", "cache-control"):
            missing += [f"{where} {name}"] * (name not in headers)
    assert not missing


def test_no_page_is_kept_on_the_way_or_in_the_browser(probed: Any) -> None:
    pages = [
        answer
        for answer in probed["answers"]
        if answer["headers"].get("Content-Type", "").startswith("text/html")
        or answer["route"].startswith("/accounts/")
    ]
    assert {"/", "/accounts/password/", "/accounts/reset/", "/admin/"} <= {
        answer["route"] for answer in pages
    }
    for answer in pages:
        assert "no-store" in answer["headers"].get("Cache-Control", ""), answer["route"]


def test_the_content_policy_is_strict_everywhere_but_in_the_admin(probed: Any) -> None:
    for answer in probed["answers"]:
        policy = answer["headers"]["Content-Security-Policy"]
        directives = [directive.strip() for directive in policy.split(";")]
        assert "frame-ancestors 'none'" in directives, answer["route"]
        assert "unsafe" not in policy or answer["route"].startswith("/admin/"), answer["route"]
        if not answer["route"].startswith("/admin/"):
            assert set(STRICT) <= set(directives), answer["route"]
        assert "http:" not in policy
        assert "https:" not in policy


def test_every_cookie_is_for_this_site_over_tls_alone(probed: Any) -> None:
    seen = set()
    for answer in probed["answers"]:
        for name, cookie in answer["cookies"].items():
            if cookie["max-age"] != 0:
                seen.add(name)
                assert name.startswith("__Host-"), answer["route"]
                assert cookie["path"] == "/", (name, answer["route"])
                assert not cookie["domain"], (name, answer["route"])
                assert cookie["secure"], (name, answer["route"])
                assert cookie["httponly"], (name, answer["route"])
                assert cookie["samesite"] == "Lax", (name, answer["route"])
    assert {"__Host-csrftoken", "__Host-visitor", "__Host-sessionid", "__Host-messages"} <= seen


def test_plain_http_is_sent_to_tls(probed: Any) -> None:
    status, location = probed["plain"]
    assert status == 301
    assert location == "https://digits.example.org/accounts/login/"


@pytest.mark.django_db  # the end of a request lets go of connections
def test_page_files_are_for_no_other_origin(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "page.css").write_text("a {}")
    settings.STATIC_ROOT = tmp_path
    files = WhiteNoiseMiddleware(lambda request: HttpResponse(status=404))
    with closing(files(RequestFactory().get("/static/page.css"))) as answer:
        assert answer.status_code == 200
        assert "Access-Control-Allow-Origin" not in answer.headers
