from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from tests.factories import make_live, make_user, make_version
from training.models import GateReport, Promotion
from training.versions.promotion import promote

pytestmark = pytest.mark.django_db
VERSIONS = "/api/v1/versions/"


def make_dee() -> User:
    """Dee trains."""
    return make_user("dee", role="trainer")


@pytest.fixture
def dee(client: Client) -> Client:
    client.force_login(make_dee())
    return client


def post(client: Client, path: str, body: Any = None) -> Any:
    return client.post(VERSIONS + path, json.dumps(body or {}), content_type="application/json")


class TestChanging:
    def test_promote_and_rollback_answer_with_the_ledgers_line(self, dee: Client):
        make_live("old")
        make_version("new")
        answer = post(dee, "new/promote/", {"why": "It reads better.", "over": "old"}).json()
        assert {key: answer[key] for key in ("kind", "before", "after", "by", "why")} == {
            "kind": "promotion", "before": "old", "after": "new", "by": "dee",
            "why": "It reads better.",
        }  # fmt: skip
        answer = post(dee, "rollback/", {"why": "It does not."}).json()
        assert (answer["kind"], answer["after"]) == ("rollback", "old")

    @pytest.mark.parametrize(
        ("path", "body", "status", "code"),
        [
            ("new/promote/", {}, 409, "needs_reason"),
            ("old/promote/", {"why": "x"}, 409, "already_live"),
            ("new/promote/", {"why": "x", "over": "new"}, 409, "overtaken"),
            ("new/promote/", {"why": "x", "over": "gone"}, 409, "overtaken"),
            ("new/promote/", {"why": "x" * 2_001}, 400, "invalid"),
            ("new/promote/", {"why": ["x"]}, 400, "invalid"),
            ("new/promote/", [1], 400, "bad_request"),
            ("gone/promote/", {"why": "x"}, 404, "not_found"),
            ("rollback/", {"why": "x" * 2_001}, 400, "invalid"),
            ("rollback/", {"why": "x"}, 409, "nothing_before"),
        ],
    )
    def test_what_is_declined_changes_nothing(
        self, dee: Client, path: str, body: Any, status: int, code: str
    ):
        make_live("old")
        make_version("new")
        answer = post(dee, path, body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert answer.json()["error"]["message"]
        assert not Promotion.objects.exists()

    def test_a_rollback_takes_no_reason_and_the_ledger_says_so(self, dee: Client):
        make_live("old")
        promote(make_version("new"), by=None, why="x")
        answer = post(dee, "rollback/").json()
        assert (answer["after"], answer["why"]) == ("old", "Rolled back by hand, without a reason.")

    def test_unsound_weights_are_declined(self, dee: Client):
        make_live("old")
        make_version("bad").artifacts.update(content=b"broken")
        answer = post(dee, "bad/promote/", {"why": "x"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "unsound_weights")


class TestLooking:
    def test_the_list_is_paged_by_name_newest_first(self, dee: Client):
        make_live("v0")
        for number in range(1, 5):
            make_version(f"v{number}")
        first = dee.get(VERSIONS, {"limit": 2}).json()
        assert [row["name"] for row in first["results"]] == ["v4", "v3"]
        second = dee.get(first["next"]).json()
        assert [row["name"] for row in second["results"]] == ["v2", "v1"]
        last = dee.get(second["next"]).json()
        assert [row["name"] for row in last["results"]] == ["v0"]
        assert last["next"] is None

    @pytest.mark.parametrize(
        "query", [{"limit": 0}, {"limit": 101}, {"limit": "x"}, {"state": "live"}]
    )
    def test_odd_queries_are_refused(self, dee: Client, query: dict[str, Any]):
        answer = dee.get(VERSIONS, query)
        assert answer.status_code == 400
        assert answer.json()["error"]["fields"]

    def test_a_page_asks_as_many_queries_for_20_versions_as_for_1(
        self, dee: Client, django_assert_num_queries: Any
    ):
        live = make_live("v0")
        for number in range(20):
            self.report(make_version(f"w{number}"), live)
        with django_assert_num_queries(4):  # session, user with rights, versions, reports
            dee.get(VERSIONS, {"limit": 20})

    def test_one_version_with_its_report_and_its_story(self, dee: Client):
        live, new = make_live("old"), make_version("new")
        self.report(new, live)
        promote(new, by=None)
        body = dee.get(VERSIONS + "new/").json()
        assert body["state"] == "live"
        assert body["report"]["reasons"] == ["12 better"]
        assert body["report"]["figures"] == {"n": 12}
        assert [row["after"] for row in body["ledger"]] == ["new"]
        assert set(body["digests"]) == {"onnx", "safetensors"}
        assert "canary" not in body

    def test_which_was_live_when(self, dee: Client):
        make_live("old")
        before = timezone.now().isoformat()
        promote(make_version("new"), by=None, why="x")
        assert dee.get(VERSIONS + "live/", {"at": before}).json()["name"] == "old"
        assert dee.get(VERSIONS + "live/").json()["name"] == "new"
        assert dee.get(VERSIONS + "live/", {"at": "2001-01-01T00:00:00Z"}).status_code == 404
        assert dee.get(VERSIONS + "live/", {"at": "yesterday"}).status_code == 400

    def report(self, candidate: Any, against: Any) -> None:
        GateReport.objects.create(
            candidate=candidate, against=against, verdict="promote", reasons=["12 better"],
            figures={"n": 12}, look=1,
        )  # fmt: skip
