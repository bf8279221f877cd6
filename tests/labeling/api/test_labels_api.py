"""Labels listed, several in one request, the queue's state, and what looks wrong."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from labeling.models import Batch, Label, LabelEvent
from predictions.models import ModelVersion
from tests.factories import make_user, some_glyph
from tests.labeling.door import LABELS, Door, make_item
from tests.training.lessons import labeled

pytestmark = pytest.mark.django_db


def person(role: str) -> Door:
    return Door(make_user(role, role=role))


def rows(door: Door, query: str = "") -> Any:
    answer = door.client.get(f"{LABELS}{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


class TestList:
    def test_pages_follow_each_other_both_ways_without_gap_or_repeat(self):
        made = [str(labeled(digit % 10).public_id) for digit in range(5)]
        ann = person("analyst")
        for ordering, expected in (("-drawn_at", made[::-1]), ("drawn_at", made)):
            seen, url = [], f"{LABELS}?limit=2&ordering={ordering}"
            while url:
                page = ann.client.get(url).json()
                seen += [row["id"] for row in page["results"]]
                url = page["next"]
            assert seen == expected

    @pytest.mark.parametrize(
        ("query", "digits"),
        [
            ("?digit=3", [3]),
            ("?is_unreadable=true", [None]),
            ("?is_unreadable=false", [4, 3]),
            ("?is_audit=true", [4]),
            ("?model=nothing", []),
            ("?state=disputed", []),
            ("?labeled_by=nobody", []),
            ("?labeled_by=x' OR '1'='1", []),
            ("?model=x') OR 1=1 --", []),
        ],
    )
    def test_it_is_filtered_by_what_it_offers(self, query: str, digits: Any):
        labeled(3)
        labeled(4, is_audit=True)
        labeled(None)
        found = rows(person("analyst"), query)["results"]
        assert [row["digit"] for row in found] == digits

    def test_the_next_page_keeps_the_filter(self):
        for digit in (3, 4, 3, 4, 3):
            labeled(digit)
        page = rows(person("analyst"), "?digit=3&limit=2")
        assert "digit=3" in page["next"]

    @pytest.mark.parametrize(
        "query",
        ["digit=10", "digit=", "digit=3&digit=4", "state=odd", "ordering=event__labeler__password",
         "event__labeler__password=x", "is_audit=1", "after=x", "limit=0", "limit=101"],
    )  # fmt: skip
    def test_what_is_not_offered_is_refused(self, query: str):
        answer = person("analyst").client.get(f"{LABELS}?{query}")
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "invalid"

    def test_labelers_do_not_look_at_what_others_said(self):
        assert person("labeler").client.get(LABELS).status_code == 403
        assert person("trainer").client.get(LABELS).status_code == 200

    def test_a_page_asks_as_many_queries_for_20_labels_as_for_1(
        self, django_assert_num_queries: Any
    ):
        ann = person("analyst")
        for digit in range(20):
            labeled(digit % 10)
        for limit in (1, 20):
            with django_assert_num_queries(3):  # session, account with its rights, page
                rows(ann, f"?limit={limit}")


class TestMany:
    def answer(self, item: Any, digit: int | None = 7, **fields: Any) -> Any:
        said = {"id": item["id"], "token": item["token"], "digit": digit}
        return {**said, "request_id": str(uuid.uuid4()), **fields}

    def test_each_is_decided_by_itself_and_refusals_stand_in_their_places(self):
        ada = person("labeler")
        for _ in range(3):
            make_item()
        first, second, third = ada.items(3)
        said = [self.answer(first, 7), self.answer(second, token=str(uuid.uuid4())),
                self.answer(third, None)]  # fmt: skip
        answer = ada.post("many/", {"labels": said})
        assert answer.status_code == 200
        one, refused, other = answer.json()["results"]
        assert (one["id"], one["digit"]) == (first["id"], 7)
        assert refused["error"]["code"] == "lease_lost"
        assert (other["id"], other["digit"]) == (third["id"], None)
        assert Label.objects.count() == 2

    def test_sent_again_it_changes_nothing_and_says_the_same(self):
        ada = person("labeler")
        make_item()
        said = {"labels": [self.answer(ada.item())]}
        first = ada.post("many/", said).json()
        assert ada.post("many/", said).json() == first
        assert LabelEvent.objects.count() == 1

    @pytest.mark.parametrize("labels", [[], "x", [{}], [{"digit": "7"}], None])
    def test_what_makes_no_sense_is_refused_whole(self, labels: Any):
        answer = person("labeler").post("many/", {"labels": labels})
        assert answer.status_code == 400
        assert "ErrorDetail" not in answer.content.decode()

    def test_a_hundred_and_no_more(self):
        one = {"id": str(uuid.uuid4()), "token": str(uuid.uuid4()), "digit": 7}
        said = [{**one, "request_id": str(uuid.uuid4())} for _ in range(101)]
        assert person("labeler").post("many/", {"labels": said}).status_code == 400


class TestQueue:
    def test_it_counts_what_waits_and_what_is_held(self):
        for _ in range(3):
            make_item()
        make_item(is_audit=True)
        ada = person("labeler")
        ada.item()
        found = rows(ada, "queue/")
        assert (found["left"], found["held"], found["open"]["audit"]) == (4, 1, 1)
        assert person("analyst").client.get(f"{LABELS}queue/").status_code == 200
        assert Door(make_user("cy")).client.get(f"{LABELS}queue/").status_code == 403


class TestSuspicious:
    @pytest.fixture
    def suspect(self) -> Any:
        for at in range(12):
            labeled(7, glyph=some_glyph(at))
        for at in range(3):
            labeled(1, read=1, glyph=some_glyph(50 + at))
        return labeled(1, read=7, confidence=0.99, glyph=some_glyph(99))

    def test_the_most_suspicious_comes_first(self, suspect: Any):
        found = rows(person("reviewer"), "suspicious/?limit=1")["results"]
        assert [row["id"] for row in found] == [str(suspect.public_id)]
        assert (found[0]["digit"], found[0]["predicted"]) == (1, 7)

    def test_it_is_sent_to_review_and_can_be_taken_back(self, suspect: Any):
        rita = person("reviewer")
        answer = rita.post("suspicious/", {"limit": 1})
        assert answer.json()["sent"] == 1
        assert Batch.objects.get(pk=answer.json()["batch"]).kind == Batch.Kind.REVIEW
        assert rita.post("suspicious/", {"limit": 1}).json()["error"]["code"] == "empty_selection"

    def test_it_is_for_reviewers(self, suspect: Any):
        for role in ("labeler", "analyst"):
            door = person(role)
            assert door.client.get(f"{LABELS}suspicious/").status_code == 403
            assert door.post("suspicious/", {"limit": 1}).status_code == 403
        assert not Batch.objects.exists()


def test_the_ledger_is_paged(client: Client, live_version: ModelVersion):
    from tests.factories import make_version
    from training.versions.promotion import promote

    for at in range(3):
        promote(make_version(f"v{at}"), by=None, why="It reads better.")
    client.force_login(make_user("ann", role="analyst"))
    first = client.get("/api/v1/promotions/?limit=2").json()
    assert [row["after"] for row in first["results"]] == ["v2", "v1"]
    last = client.get(first["next"]).json()
    assert [row["after"] for row in last["results"]] == ["v0"]
    assert last["next"] is None
    assert client.get("/api/v1/promotions/?before=x").status_code == 400
