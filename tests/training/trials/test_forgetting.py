"""The readings of trials that ended are deleted; what pages say of these trials stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from predictions.models import ModelVersion
from tests.factories import make_user
from tests.training.trials.stage import answer, draw, make_candidate, make_trial
from training import tasks
from training.models import Trial, TrialReading
from training.trials.trial import begin, end_trial, follow
from training.versions.promotion import promote

pytestmark = pytest.mark.django_db


def end(trial: Trial, *, days_ago: float) -> None:
    end_trial(trial, Trial.State.OVERTAKEN, "A newer one is tried.")
    ended_at = timezone.now() - timedelta(days=days_ago)
    Trial.objects.filter(pk=trial.pk).update(ended_at=ended_at)


def told_of(trial: Trial) -> Any:
    client = Client()
    client.force_login(User.objects.get(username="tom"))
    said = client.get(f"/api/v1/versions/{trial.candidate.name}/trial/")
    page = client.get(f"/versions/{trial.candidate.name}/")
    assert (said.status_code, page.status_code) == (200, 200)
    return said.json()


@pytest.fixture
def trial() -> Trial:
    """Four drawings were read alike, two differently; one of these was answered."""
    make_user("tom", role="trainer")
    begun = make_trial()
    draw(4, differ=False)
    mended, _ = draw(2)
    follow()
    answer([mended], 3)
    return begun


def test_a_trial_that_ended_is_told_as_before_without_its_readings(trial: Trial) -> None:
    end(trial, days_ago=8)
    before = told_of(trial)
    assert (before["drawings"], before["better"], before["waiting"]) == (6, 1, 1)
    assert tasks.nightly_clean_up() == {"readings_forgotten": 6}
    assert not TrialReading.objects.exists()
    assert told_of(trial) == before
    assert tasks.nightly_clean_up() == {"readings_forgotten": 0}


def test_readings_are_kept_while_the_trial_goes_on_and_for_a_week(trial: Trial) -> None:
    assert tasks.nightly_clean_up() == {"readings_forgotten": 0}
    end(trial, days_ago=6)
    assert tasks.nightly_clean_up() == {"readings_forgotten": 0}
    assert TrialReading.objects.count() == 6


def test_those_by_which_the_live_version_went_live_are_kept_until_another_is(
    trial: Trial,
) -> None:
    promote(trial.candidate, by=None, why="To see.")
    long_ago = timezone.now() - timedelta(days=99)
    Trial.objects.update(state=Trial.State.PROMOTED, ended_at=long_ago)
    assert tasks.nightly_clean_up() == {"readings_forgotten": 0}
    promote(make_candidate("next"), by=None, why="To see.")
    assert not ModelVersion.objects.get(pk=trial.candidate_id).is_live
    assert tasks.nightly_clean_up() == {"readings_forgotten": 6}


def test_another_trial_keeps_its_readings(trial: Trial) -> None:
    other = begin(make_candidate("newer", marked=5))
    draw(3)
    follow()
    end(trial, days_ago=8)
    assert tasks.nightly_clean_up() == {"readings_forgotten": 9}
    assert TrialReading.objects.filter(trial=other).count() == 3
