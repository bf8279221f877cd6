"""The figures under /api/v1/: the same as on the pages, in the manner of the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from dashboard.cube.counting import catch_up
from dashboard.figures.catalog import FIGURES, edition
from dashboard.models import Mark
from predictions.access.tokens import make_token
from predictions.models import ModelVersion
from tests.architecture.repository import ROOT
from tests.dashboard.figures.test_figures import audits
from tests.factories import make_cy

pytestmark = pytest.mark.django_db
API = "/api/v1/figures/"


@pytest.fixture
def counted(live_version: ModelVersion) -> None:
    audits(3)
    catch_up()


def test_the_list_says_what_each_shows_and_where_it_is(client: Client):
    found = client.get(API).json()["results"]
    assert [each["name"] for each in found] == list(FIGURES)
    assert all(each["shows"].endswith((".", "?")) for each in found)
    assert all(client.get(each["url"]).json()["name"] == each["name"] for each in found)


@pytest.mark.parametrize("query", ["", "?digit=3&stream=all"])
@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_the_pages_and_costs_few_queries(
    client: Client, counted: None, django_assert_max_num_queries: Any, name: str, query: str
):
    with django_assert_max_num_queries(6):
        answer = client.get(f"{API}{name}/{query}")
    assert answer.json() == client.get(f"/dashboard/data/{name}.json{query}").json()


def test_unchanged_it_is_not_sent_again(client: Client, counted: None):
    first = client.get(API + "accuracy-by-month/")
    known = {"If-None-Match": first["ETag"]}
    unchanged = client.get(API + "accuracy-by-month/", headers=known)
    assert (unchanged.status_code, unchanged["ETag"]) == (304, first["ETag"])
    assert client.get(API + "accuracy-by-month/?digit=3", headers=known).status_code == 200
    Mark.objects.update(event=10_000)
    assert client.get(API + "accuracy-by-month/", headers=known).status_code == 200


@pytest.mark.parametrize(
    "file",
    ["training/engine/evaluate.py", "training/trials/pairs.py", "labeling/models.py",
     "predictions/database/slices.py", "dashboard/figures/accuracy.py"],
)  # fmt: skip
def test_a_release_that_says_it_otherwise_sends_it_again(
    client: Client, counted: None, monkeypatch: pytest.MonkeyPatch, file: str
):
    """The code of its intervals and words lies in every app."""
    read, address = Path.read_bytes, API + "accuracy-by-month/"
    known = {"If-None-Match": client.get(address)["ETag"]}
    edition.cache_clear()
    assert client.get(address, headers=known).status_code == 304  # the same program again
    edition.cache_clear()
    other = str(ROOT / file)
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + b"#" * (str(path) == other))
    assert client.get(address, headers=known).status_code == 200
    edition.cache_clear()


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("years=1", "years"),
        ("digit=11", "digit"),
        ("digit=٣", "digit"),
        ("digit=", "digit"),
        ("digit=1&digit=2", "digit"),
        ("first=2026-13", "first"),
        ("first=0000-01", "first"),
        ("last=9999-12", "last"),
        ("source=fax", "source"),
        ("stream=none", "stream"),
        (f"version={'x' * 61}", "version"),
    ],
)
def test_an_unknown_filter_is_refused_by_name(client: Client, query: str, name: str):
    answer = client.get(f"{API}accuracy-by-month/?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid")
    assert list(answer.json()["error"]["fields"]) == [name]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [("first=2026-02&last=2026-01", 409, "unmet_filter"), ("version=nobody", 404, "not_found")],
)
def test_what_there_is_nothing_of_is_refused(client: Client, query: str, status: int, code: str):
    answer = client.get(f"{API}accuracy-by-month/?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_an_unknown_figure_is_not_found(client: Client):
    assert client.get(API + "nothing/").status_code == 404


def test_a_token_needs_the_scope_read():
    cy = make_cy()
    for scope, status in {"read": 200, "predict": 403, "label": 403, "train": 403}.items():
        secret = make_token(cy, name=scope, scopes=[scope])[1]
        program = Client(headers={"authorization": f"Bearer {secret}"})
        assert program.get(API).status_code == status
        assert program.get(API + "headline/").status_code == status
