from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from predictions.capture.history import tally
from predictions.models import ModelVersion, Owner
from predictions.templatetags.readings import close_percent, nines
from tests.factories import make_feedback, make_prediction, make_user

pytestmark = pytest.mark.django_db
NEW_YORK = ZoneInfo("America/New_York")


def test_accuracy_counts_what_was_answered_alone(live_version: ModelVersion):
    visitor = uuid.uuid4()
    right, wrong, neither, _ = (make_prediction(digit=7, visitor=visitor) for _ in range(4))
    make_feedback(right, 7)
    make_feedback(wrong, 1)
    make_feedback(neither, None)
    make_feedback(make_prediction(visitor=uuid.uuid4()), 7)  # somebody else's
    told = tally(Owner(visitor=visitor))
    assert (told.made, told.answered, told.right) == (4, 3, 1)
    assert told.accuracy == pytest.approx(1 / 3)


def test_nobody_has_made_nothing(live_version: ModelVersion):
    told = tally(Owner())
    assert (told.made, told.accuracy, told.best_today) == (0, None, None)


def test_the_day_turns_at_midnight_in_new_york(live_version: ModelVersion):
    ada = make_user()
    last_minute = datetime(2026, 1, 31, 23, 59, tzinfo=NEW_YORK)  # already February in London
    make_prediction(user=ada, confidence=0.99, created_at=last_minute)
    make_prediction(user=ada, confidence=0.6, created_at=last_minute + timedelta(minutes=2))
    owner = Owner(user_id=ada.pk)
    assert tally(owner, today=last_minute.date()).best_today == pytest.approx(0.99)
    assert tally(owner, today=datetime(2026, 2, 1).date()).best_today == pytest.approx(0.6)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("confidence", "score", "beside"),
    [
        (None, "–", "–"),
        (0.0, "0.00 nines", "0.0%"),
        (0.6, "0.40 nines", "60.0%"),
        (0.99, "2.00 nines", "99.0%"),
        (0.99988246, "3.93 nines", "99.988%"),
        (0.9999998, "6.70 nines", "99.999980%"),
        (1.0, "over 7 nines", ">99.99999%"),
    ],
)
def test_a_score_tells_apart_what_is_all_over_999(
    confidence: float | None, score: str, beside: str
):
    assert (nines(confidence), close_percent(confidence)) == (score, beside)


def test_the_best_of_all_is_told_beside_ones_own(live_version: ModelVersion):
    ada = make_user()
    make_prediction(user=ada, confidence=0.7)
    make_prediction(confidence=0.95)
    for source in ("import", "demo"):  # nobody drew these here today
        make_prediction(confidence=0.999, source=source)
    told = tally(Owner(user_id=ada.pk), today=timezone.localdate())
    assert (told.best_today, told.best_of_all_today) == (0.7, 0.95)
