from __future__ import annotations

import io
import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from predictions.access.limits import Quota
from predictions.models import ModelVersion, Prediction, RequestCount
from tests.predictions.api.test_api import post_file

NOON = 1_800_000_000.0  # a whole minute


@pytest.mark.django_db
class TestQuota:
    def test_the_limit_is_reached_exactly_and_never_passed(self):
        quota = Quota()
        allowed = [quota.take("ada", 100, now=NOON + 1) == 0 for _ in range(150)]
        assert allowed == [True] * 100 + [False] * 50

    def test_several_processes_share_one_limit(self):
        processes = [Quota() for _ in range(3)]
        allowed = sum(
            quota.take("ada", 60, now=NOON + 1) == 0 for _ in range(100) for quota in processes
        )
        assert allowed == 60

    def test_the_minute_slides_so_two_minutes_edges_do_not_add_up(self):
        quota = Quota()
        assert sum(quota.take("ada", 60, now=NOON + 59) == 0 for _ in range(100)) == 60
        assert sum(quota.take("ada", 60, now=NOON + 61) == 0 for _ in range(100)) <= 1
        assert sum(quota.take("ada", 60, now=NOON + 90) == 0 for _ in range(100)) in (29, 30)

    def test_one_caller_does_not_use_up_anothers(self):
        quota = Quota()
        for _ in range(20):
            quota.take("ada", 10, now=NOON)
        assert quota.take("ben", 10, now=NOON) == 0

    def test_a_cost_above_the_whole_limit_waits(self):
        quota = Quota()
        assert quota.take("ada", 10, cost=11, now=NOON) > 0
        assert quota.take("ada", 10, cost=10, now=NOON) == 0

    def test_most_requests_ask_the_database_nothing(self, django_assert_max_num_queries: Any):
        quota = Quota()
        with django_assert_max_num_queries(150):
            for _ in range(1000):
                quota.take("ada", 1000, now=NOON)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_threads_racing_for_one_limit_do_not_pass_it():
    processes = [Quota() for _ in range(4)]
    allowed: list[int] = []
    barrier = threading.Barrier(len(processes))

    def ask(quota: Quota) -> None:
        try:
            barrier.wait(60)
            allowed.append(sum(quota.take("ada", 50, now=NOON) == 0 for _ in range(40)))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask, args=[quota]) for quota in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(allowed) <= 50
    assert RequestCount.objects.get(caller="ada").taken <= 50


@pytest.mark.django_db
class TestDoors:
    def test_past_the_limit_the_answer_is_429_and_says_when(
        self, client: Client, live_version: ModelVersion, settings: Any
    ):
        settings.CAPTURES_PER_MINUTE = 2
        answers = [post_file(client) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [201, 201, 429]
        assert answers[2].json()["error"]["code"] == "too_many_requests"
        assert int(answers[2]["Retry-After"]) >= 1
        assert Prediction.objects.count() == 2

    def test_a_forged_forwarding_header_does_not_help(
        self, client: Client, live_version: ModelVersion, settings: Any
    ):
        settings.CAPTURES_PER_MINUTE = 2
        codes = []
        for at in range(4):
            client.defaults["HTTP_X_FORWARDED_FOR"] = f"10.1.2.{at}"
            codes.append(post_file(client).status_code)
        assert codes == [201, 201, 429, 429]

    def test_behind_a_proxy_its_word_counts_and_the_callers_does_not(
        self, client: Client, live_version: ModelVersion, settings: Any, monkeypatch: Any
    ):
        settings.CAPTURES_PER_MINUTE = 1
        settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
        codes = []
        for forged, real in [
            ("1.1.1.1", "9.9.9.1"),
            ("2.2.2.2", "9.9.9.1"),
            ("1.1.1.1", "9.9.9.2"),
        ]:
            client.defaults["HTTP_X_FORWARDED_FOR"] = f"{forged}, {real}"
            codes.append(post_file(client).status_code)
        assert codes == [201, 429, 201]

    @pytest.mark.parametrize(("proxies", "read"), [(0, 0), (1, 4_000_000)])
    @pytest.mark.parametrize(("path", "status"), [("predictions/", 413), ("runs/", 413),
                                                  ("label-studio/predict", 401)])  # fmt: skip
    def test_behind_a_proxy_a_refused_body_is_passed_over_so_that_the_refusal_arrives(
        self, client: Client, settings: Any, proxies: int, read: int, path: str, status: int
    ):
        settings.PROXY_COUNT = proxies
        body = io.BytesIO(b"x" * 4_000_000)
        answer = client.post(
            f"/api/v1/{path}", b"", content_type="application/json",
            CONTENT_LENGTH=4_000_000, **{"wsgi.input": body},
        )  # fmt: skip
        assert (answer.status_code, body.tell()) == (status, read)

    def test_every_image_of_a_batch_counts(
        self, client: Client, live_version: ModelVersion, settings: Any
    ):
        from tests.predictions.api.test_api import TestBatches

        settings.CAPTURES_PER_MINUTE = 5
        assert TestBatches().batch(client, *[b"x"] * 4).status_code == 201
        assert TestBatches().batch(client, *[b"x"] * 4).status_code == 429
