"""Audits drawn with different chances: every door says the same of them."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from scipy.stats import beta, norm

from dashboard.cube.counting import catch_up
from dashboard.figures.difference import difference_of_pairs
from dashboard.figures.figure import Share
from dashboard.figures.sample import Part, Sample
from dashboard.figures.words import of_n
from dashboard.filters import Filters
from dashboard.replay import replay
from dashboard.reports.compared_months import of_months
from dashboard.reports.compared_versions import of_versions
from dashboard.reports.report import monthly_report
from predictions.models import ModelVersion, Prediction
from predictions.shares import Z95, exact
from tests.dashboard.audits import NOVEMBER, OCTOBER, audited
from tests.factories import make_live, make_prediction, make_version

NOV, OCT = date(2026, 11, 1), date(2026, 10, 1)
OFTEN, SELDOM = 0.25, 0.05
TRUE = (80 * 10 / 15 + 620 * 30 / 31) / 700  # by hand, from `november` below


@pytest.fixture
def november(db: None) -> ModelVersion:
    """Of the unsure ones every fourth is audited: 20, of which 15 are labeled, 10 right; they stand
    for 80. Of the others every twentieth: 31, all labeled, 30 right; they stand for 620."""
    live = make_live("sevens", favorite=7)
    month(right=10, wrong=5, audit_probability=OFTEN)
    for _ in range(5):
        make_prediction(created_at=NOVEMBER, is_audit=True, audit_probability=OFTEN)
    month(right=30, wrong=1, audit_probability=SELDOM)
    for _ in range(40):  # the queue's, which say nothing of the accuracy
        make_prediction(created_at=NOVEMBER, audit_probability=OFTEN)
    counted()
    return live


def month(*, right: int, wrong: int, **fields: Any) -> None:
    for number in range(right + wrong):
        audited(7 if number < right else 3, **{"at": NOVEMBER, **fields})


def counted() -> None:
    catch_up()
    replay.replay_for()


def rows(client: Client, name: str, query: str = "") -> list[dict[str, Any]]:
    body = client.get(f"/dashboard/data/{name}.json{query}").json()
    keys = [column["key"] for column in body["columns"]]
    return [dict(zip(keys, row, strict=True)) for row in body["rows"]]


def interval(found: dict[str, Any] | Share | None) -> tuple[float, float, float]:
    assert found is not None
    if isinstance(found, Share):
        return found.value, found.low, found.high
    return found["share"], found["low"], found["high"]


def test_every_door_says_the_same(client: Client, november: ModelVersion, tmp_path: Path) -> None:
    (by_month,) = rows(client, "accuracy-by-month")
    assert (by_month["n"], by_month["right"]) == (46, 40)
    assert by_month["share"] == pytest.approx(TRUE)
    assert by_month["low"] < TRUE - 0.02 < TRUE + 0.02 < by_month["high"]

    wanted = pytest.approx(interval(by_month))
    for name in ("accuracy-by-day", "replay", "headline"):
        assert interval(rows(client, name)[0]) == wanted, name
    for query in ("?version=sevens", "?source=api"):
        assert interval(rows(client, "accuracy-by-month", query)[0]) == wanted
    (curve,) = rows(client, "learning-curve")
    assert interval(curve) == pytest.approx((1 - TRUE, 1 - by_month["high"], 1 - by_month["low"]))
    assert interval(of_months(NOV, NOV, None).second.share) == wanted
    assert interval(monthly_report(NOV).here.share) == wanted

    shown = client.get("/dashboard/data/accuracy-by-month.csv").content.decode()
    call_command("export_stats", str(tmp_path))
    assert (tmp_path / "figures" / "accuracy-by-month.csv").read_text() == shown
    (line,) = csv.DictReader(io.StringIO(shown))
    assert float(line["share"]) == by_month["share"]

    scraped = {
        sample.name: sample.value
        for family in text_string_to_metric_families(client.get("/metrics").content.decode())
        for sample in family.samples
        if sample.name.startswith("inkloop_live_accuracy")
    }
    assert scraped.pop("inkloop_live_accuracy_n") == 46
    assert tuple(scraped.values()) == wanted


def test_the_sample_is_told_to_be_weighted_where_it_is(
    client: Client, november: ModelVersion
) -> None:
    for name in ("accuracy-by-month", "true-by-predicted", "reliability", "replay"):
        said = client.get(f"/dashboard/data/{name}.json").json()["sampled_from"]
        assert "different chances of being chosen" in said, name
    biased = client.get("/dashboard/data/accuracy-of-all-labeled.json").json()
    assert "different chances" not in biased["sampled_from"]


def test_what_a_digit_was_read_as_is_weighted_too(client: Client, november: ModelVersion) -> None:
    """Fifteen of the sixteen 3s are few; the sixteenth stands for twenty."""
    threes = [row for row in rows(client, "true-by-predicted") if row["label"] == 3]
    assert [(row["count"], row["n"], row["share"]) for row in threes if row["count"]] == [
        (6, 6, 1.0)
    ]
    sentence = client.get("/dashboard/data/true-by-predicted.json").json()["sentence"]
    assert sentence == (
        f"Of 100 drawings, {told_of(client)} were read right."
        " The most frequent mistake is 3 read as 7: 6.7 of 100 (6 labels)."
    )


def told_of(client: Client) -> str:
    (row,) = rows(client, "accuracy-by-month")
    share, low, high = (f"{100 * row[key]:.1f}" for key in ("share", "low", "high"))
    return f"{share} (95% sure between {low} and {high}, {of_n(46)})"


def test_calibration_weighs_each_bin_by_the_drawings_in_it(client: Client, db: None) -> None:
    """Confidence .5 and .9, right in half and in all of them; the first are audited more often."""
    make_live("sevens", favorite=7)
    month(right=10, wrong=10, audit_probability=1.0, confidence=0.5)
    month(right=10, wrong=0, audit_probability=0.1, confidence=0.9)
    catch_up()
    found = {row["from"]: row["share"] for row in rows(client, "reliability") if row["n"]}
    assert found == {0.5: 0.5, 0.9: 1.0}
    sentence = client.get("/dashboard/data/reliability.json").json()["sentence"]
    assert "8.3 of 100 apart" in sentence  # 100 of 120 are off by .1


def test_two_versions_differ_by_what_the_drawings_stand_for(november: ModelVersion) -> None:
    """Threes is right where sevens is wrong, and the reverse."""
    make_version("threes", favorite=3)
    replay.replay_for()
    found = of_versions("sevens", "threes", Filters())
    assert found.pairs is not None
    assert (found.pairs.better, found.pairs.worse, found.pairs.n) == (6, 40, 46)
    assert found.difference is not None
    assert found.difference.value == pytest.approx((1 - TRUE) - TRUE)
    assert found.difference.low < found.difference.value < found.difference.high
    turned = of_versions("threes", "sevens", Filters()).difference
    assert turned is not None
    assert (turned.low, turned.high) == pytest.approx(
        (-found.difference.high, -found.difference.low)
    )


def test_months_of_one_chance_and_of_several_are_compared(november: ModelVersion) -> None:
    month(right=90, wrong=10, at=OCTOBER, audit_probability=SELDOM)
    counted()
    found = of_months(OCT, NOV, None)
    assert interval(found.first.share) == interval(Share.of(90, 100))  # of one chance
    assert found.difference is not None
    assert found.difference.value == pytest.approx(TRUE - 0.9)
    assert not found.difference.is_more_than_chance


def test_audits_that_nobody_labeled_yet_may_be_right_or_wrong(november: ModelVersion) -> None:
    before = of_months(NOV, NOV, None).second.share
    for _ in range(10):  # each stands for 10: an eighth of all
        make_prediction(created_at=NOVEMBER, is_audit=True, audit_probability=0.1)
    counted()
    after = of_months(NOV, NOV, None).second.share
    assert before is not None
    assert after is not None
    assert after.value == pytest.approx(before.value)
    assert after.low < before.low - 0.05
    assert after.low < TRUE * 7 / 8
    assert after.high > TRUE * 7 / 8 + 1 / 8


def test_a_drawing_of_unknown_chance_makes_all_count_alike(november: ModelVersion) -> None:
    Prediction.objects.filter(audit_probability=SELDOM).update(audit_probability=0.0)
    call_command("rebuild_cube", verbosity=0)
    assert interval(of_months(NOV, NOV, None).second.share) == interval(Share.of(40, 46))


def in_two_bands(often: int, seldom: int, others: int = 0) -> Share:
    """Half and all of 100 labels are right; `others` are labels of other digits, in each band."""
    sample, drawings = Sample(), 100 + others
    sample.add(often, Part(drawings, drawings, 100, 50))
    sample.add(seldom, Part(drawings, drawings, 100, 100))
    share = sample.share
    assert share is not None
    return share


def test_an_interval_is_wider_where_it_is_unsure_how_many_drawings_a_band_has() -> None:
    all_audited, few_audited = in_two_bands(1_000_000, 500_000), in_two_bands(100_000, 50_000)
    of_a_digit = in_two_bands(1_000_000, 500_000, others=900)
    for wider in (few_audited, of_a_digit):
        assert wider.value == pytest.approx(all_audited.value)
        assert wider.high - wider.low > 1.15 * (all_audited.high - all_audited.low)


def test_many_weighted_labels_are_worth_more_than_as_many_simple_ones() -> None:
    sample = Sample()
    sample.add(250_000, Part(100, 100, 100, 70))
    sample.add(37_500, Part(900, 900, 900, 899))
    assert sample.worth > 2 * sample.n
    simple = Sample.of(969, 1_000)
    assert simple.worth == simple.n


@pytest.mark.parametrize("n", [1, 3, 20, 400, 5_000])
@pytest.mark.parametrize("z", [Z95, 3.29])
def test_the_interval_of_a_share_has_quantiles_of_the_beta_distribution(n: int, z: float) -> None:
    level = norm.cdf(z)
    for right in sorted({0, 1, n // 2, n - 1, n}):
        low, high = exact(right, n, z)
        below = beta.ppf(1 - level, right, n - right + 1) if right else 0.0
        above = beta.ppf(level, right + 1, n - right) if right < n else 1.0
        spread = beta.std(right + 0.5, n - right + 0.5)
        assert (low, high) == pytest.approx(
            (below, above), abs=0.4 * spread if z > 3 else 0.07 * spread
        )


def test_a_difference_of_pairs_is_wider_where_both_kinds_are_frequent() -> None:
    """They exclude each other, so it varies more than if they were independent."""
    found = difference_of_pairs(30, 30, 100)
    assert found.value == 0
    assert found.high == pytest.approx(0.152, abs=0.008)  # 1.96 * sqrt(.6 / 100)
    assert (found.low, found.high) == pytest.approx((-found.high, -found.low))
