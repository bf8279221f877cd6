"""Accuracy that fell is told, once, from drawings chosen at random alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from dashboard import tasks
from dashboard.figures.difference import difference
from dashboard.figures.figure import Share
from predictions.models import ModelVersion
from tests.dashboard.audits import audited, label
from tests.factories import make_prediction
from training.models import Endpoint, Message

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint(live_version: ModelVersion) -> Endpoint:
    return Endpoint.objects.create(name="ours", url="https://hooks.example.org/inkloop")


def drawn(days_ago: int, *, right: int = 0, wrong: int = 0) -> None:
    at = timezone.now() - timedelta(days=days_ago)
    for number in range(right + wrong):
        audited(7 if number < right else 1, at=at)


def test_a_fall_is_told_once_with_its_numbers(endpoint: Endpoint):
    drawn(60, right=60)
    drawn(5, right=25, wrong=15)
    first = tasks.watch_accuracy()
    assert (first["fell"], first["told"]) == (True, 1)
    message = Message.objects.get()
    assert message.kind == "accuracy.fell"
    assert message.data["before"] == {"days": 84, "accuracy": 1.0, "audits": 60}
    assert message.data["recent"] == {"days": 28, "accuracy": 0.625, "audits": 40}
    assert 0 < message.data["fell_by_at_least"] < message.data["fell_by"] == 0.375
    assert tasks.watch_accuracy()["told"] == 0
    assert Message.objects.count() == 1


def test_it_is_told_again_when_other_drawings_speak_of_it(endpoint: Endpoint):
    drawn(60, right=60)
    drawn(5, right=25, wrong=15)
    tasks.watch_accuracy()
    Message.objects.update(happened_at=timezone.now() - timedelta(days=29), subject="long ago")
    assert tasks.watch_accuracy()["told"] == 1


@pytest.mark.parametrize(
    ("before", "recent"),
    [
        ((60, 0), (38, 2)),  # chance may do that, asked every night
        ((60, 0), (10, 15)),  # too few to say
        ((20, 0), (20, 20)),  # nothing to compare with
        ((40, 20), (40, 0)),  # better
    ],
)
def test_what_is_no_fall_is_not_told(
    endpoint: Endpoint, before: tuple[int, int], recent: tuple[int, int]
):
    drawn(60, right=before[0], wrong=before[1])
    drawn(5, right=recent[0], wrong=recent[1])
    assert tasks.watch_accuracy() == {"fell": False}
    assert not Message.objects.exists()


def test_mistakes_that_people_picked_out_and_old_ones_are_no_fall(endpoint: Endpoint):
    drawn(200, right=60)
    drawn(60, right=60)
    drawn(5, right=40)
    for _ in range(40):
        label(make_prediction(digit=7, created_at=timezone.now() - timedelta(days=5)), 1)
    assert tasks.watch_accuracy() == {"fell": False}


def test_a_month_that_was_better_before_the_twelve_weeks_does_not_count(endpoint: Endpoint):
    drawn(150, right=60)
    drawn(60, right=40, wrong=20)
    drawn(5, right=27, wrong=13)
    assert tasks.watch_accuracy() == {"fell": False}


def test_what_a_page_would_call_more_than_chance_is_no_alarm_yet(endpoint: Endpoint):
    found = difference(Share.of(60, 60), Share.of(34, 40))
    assert found.high < 0
    drawn(60, right=60)
    drawn(5, right=34, wrong=6)
    assert tasks.watch_accuracy() == {"fell": False}
