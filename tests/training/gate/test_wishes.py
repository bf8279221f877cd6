"""What the gate lacks becomes rows that labeling reads."""

from __future__ import annotations

from typing import Any

import pytest

from labeling.models import Wanted
from labeling.queue import queue
from labeling.queue.intake import enqueue
from predictions.capture.sides import Side, judges, side_of
from predictions.models import ModelVersion, Prediction
from tests.factories import make_prediction, make_user, make_version
from tests.labeling.queue.test_wanted import Always
from tests.training.lessons import visitor_who
from training import tasks
from training.gate import priorities
from training.models import GateReport

pytestmark = pytest.mark.django_db


def waiting(digit: int, **fields: Any) -> Prediction:
    prediction = make_prediction(digit=digit, **fields)
    enqueue([prediction])
    return prediction


def verdict(live: ModelVersion, *, lacking: int | None, more: int | None) -> GateReport:
    return GateReport.objects.create(
        candidate=make_version(f"toy-{GateReport.objects.count()}"), against=live,
        verdict="more", labels_needed=more, reasons=[], look=1,
        figures={"wanted_by_digit": [90 * (digit == lacking) for digit in range(10)]},
    )  # fmt: skip


def wanted() -> list[int]:
    return list(Wanted.objects.order_by("rank").values_list("pk", flat=True))


def test_a_verdict_that_needs_more_wants_what_judges_and_lacking_digits_first(
    live_version: ModelVersion,
):
    waiting(8, visitor=visitor_who(lambda row: side_of(row) is Side.TRAIN))
    judge = waiting(3, visitor=visitor_who(judges))
    eight = waiting(8, visitor=visitor_who(judges))
    audit = waiting(3, is_audit=True, visitor=visitor_who(lambda row: side_of(row) is Side.TRAIN))
    assert tasks.every_minute()["wanted"] == 0
    verdict(live_version, lacking=8, more=120)
    assert tasks.every_minute()["wanted"] == 3
    assert wanted() == [eight.pk, judge.pk, audit.pk]


def test_the_place_of_an_audit_does_not_hang_on_its_guess(
    live_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
):
    three = waiting(3, visitor=visitor_who(judges))
    audits = [waiting(digit, is_audit=True).pk for digit in (3, 8, 3, 8, 8)]
    eight = waiting(8, visitor=visitor_who(judges))
    verdict(live_version, lacking=8, more=120)
    tasks.every_minute()
    assert wanted() == [eight.pk, three.pk, *audits]
    # Nor does it decide which of them are wanted at all.
    monkeypatch.setattr(priorities, "MOST", 4)
    tasks.every_minute()
    assert wanted() == [eight.pk, three.pk, *audits[:2]]


def test_labelers_get_lacking_drawings_first_and_audits_in_the_order_they_were_drawn(
    live_version: ModelVersion,
):
    audits = [waiting(digit, is_audit=True).pk for digit in (3, 8, 3, 8)]
    eight = waiting(8, confidence=0.99, visitor=visitor_who(judges))
    three = waiting(3, confidence=0.2, visitor=visitor_who(judges))
    verdict(live_version, lacking=8, more=120)
    tasks.every_minute()
    held = queue.claim(make_user("ada"), count=6, dice=Always(0.1))
    assert [each.prediction_id for each in held] == [eight.pk, *audits, three.pk]


def test_a_verdict_that_lacks_nothing_or_is_about_the_past_wants_nothing(
    live_version: ModelVersion,
):
    waiting(3, visitor=visitor_who(judges))
    verdict(live_version, lacking=8, more=120)
    tasks.every_minute()
    assert wanted()
    verdict(live_version, lacking=None, more=None)
    tasks.every_minute()
    assert not wanted()
    verdict(make_version("of the past"), lacking=8, more=120)
    tasks.every_minute()
    assert not wanted()
