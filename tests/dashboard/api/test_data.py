"""Figures as programs read them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.test import Client

from dashboard.fields import Counts
from dashboard.models import Mark, MonthSums
from predictions.models import ModelVersion

pytestmark = pytest.mark.django_db
URL = "/dashboard/data/accuracy-by-month"


def make_sums(version: ModelVersion, month: date, **fields: Any) -> MonthSums:
    keys = {"source": "draw", "stream": "audit", "chance": 50_000}
    return MonthSums.objects.create(month=month, version=version, **{**keys, **fields})


def readings(right: int, wrong: int = 0, digit: int = 3) -> Counts:
    counts = MonthSums().readings
    counts[digit, digit, 1] = right
    counts[9, digit, 1] = wrong
    return counts


def test_a_month_without_data_is_a_gap(live_version: ModelVersion, client: Client) -> None:
    make_sums(live_version, date(2026, 9, 1), readings=readings(98, 2))
    make_sums(live_version, date(2026, 11, 1), readings=readings(9, 1))
    figure = client.get(URL + ".json").json()
    rows = {row[0]: row[1:] for row in figure["rows"]}
    assert list(rows) == ["2026-09", "2026-10", "2026-11"]
    assert rows["2026-09"][:3] == [100, 98, 0.98]
    assert rows["2026-10"] == [0, 0, None, None, None, False]
    assert (rows["2026-09"][-1], rows["2026-11"][-1]) == (True, False)
    assert client.get(URL + ".csv").content.decode().splitlines()[2] == "2026-10,0,0,,,,false"


def test_what_is_known_is_not_sent_again(live_version: ModelVersion, client: Client) -> None:
    Mark.objects.create(pk=1)
    first = client.get(URL + ".json")
    known = {"If-None-Match": first["ETag"]}
    unchanged = client.get(URL + ".json", headers=known)
    assert (unchanged.status_code, unchanged["ETag"]) == (304, first["ETag"])
    assert client.get(URL + ".csv", headers=known).status_code == 200
    assert client.get(URL + ".json?digit=3", headers=known).status_code == 200
    Mark.objects.update(event=1)
    assert client.get(URL + ".json", headers=known).status_code == 200


@pytest.mark.parametrize(
    ("query", "name", "status"),
    [
        ("years=1", "years", 400),
        ("digit=11", "digit", 400),
        ("digit=٣", "digit", 400),
        ("first=2026-13", "first", 400),
        ("last=9999-12", "last", 400),
        ("source=fax", "source", 400),
        ("stream=none", "stream", 400),
        ("digit=1&digit=2", "digit", 400),
        # Well said, as the API has it too, but there is nothing like it.
        ("first=2026-02&last=2026-01", "last", 409),
        ("version=nobody", "version", 404),
    ],
)
def test_an_unknown_filter_is_refused_by_name(
    client: Client, query: str, name: str, status: int
) -> None:
    answer = client.get(f"{URL}.json?{query}")
    assert answer.status_code == status
    assert list(answer.json()["error"]["fields"]) == [name]


def test_an_unknown_figure_is_not_found(client: Client) -> None:
    assert client.get("/dashboard/data/nothing.json").status_code == 404
