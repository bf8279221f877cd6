"""A run says its stage, which epoch of how many, how long it takes and how fast it is."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from predictions.models import ModelVersion
from tests.factories import make_version
from tests.training.lessons import labeled
from training.models import Epoch, Run
from training.runs import retrain
from training.runs.outlook import outlook_of, time_left

pytestmark = pytest.mark.django_db
EPOCHS = 8


@pytest.fixture
def run(live_version: ModelVersion) -> Run:
    """A run that waits."""
    labeled(3)
    run = retrain.ask(trigger=Run.Trigger.COMMAND, least=1)
    run.recipe["epochs"] = EPOCHS
    run.save()
    return run


def goes_on(run: Run, *, ended: list[float], epochs: float, at: float) -> Run:
    """The run as it stands `at` seconds after its start, with epochs that ended at these times."""
    start = timezone.now()
    run.state, run.started_at = Run.State.RUNNING, start
    run.heartbeat_at = start + timedelta(seconds=at)
    run.progress = retrain.LEARNED * epochs / EPOCHS
    run.save()
    for number, seconds in enumerate(ended, 1):
        keep(run, number, start + timedelta(seconds=seconds))
    return run


def keep(run: Run, number: int, at: datetime) -> None:
    Epoch.objects.create(run=run, number=number, loss=0.5, accuracy=0.9, ended_at=at)


def test_before_it_learns_it_says_what_it_waits_for_or_loads(run: Run) -> None:
    assert outlook_of(run) == "Waits for the training worker."
    goes_on(run, ended=[], epochs=0, at=3)
    assert outlook_of(run) == "Loads the drawings and the weights of its parent."


def test_in_the_first_epoch_it_promises_no_time(run: Run) -> None:
    goes_on(run, ended=[], epochs=0.6, at=30)
    assert outlook_of(run) == "Epoch 1 of 8"


def test_time_and_rate_are_measured_after_the_first_epoch(run: Run) -> None:
    """Loading took 40 s; then an epoch takes 20 s, and 6.5 are left: 130 s."""
    goes_on(run, ended=[60], epochs=1.5, at=70)
    assert outlook_of(run) == "Epoch 2 of 8 · about 2 minutes left · 20.0 s an epoch"
    run.heartbeat_at = run.epochs.get().ended_at
    assert outlook_of(run) == "Epoch 2 of 8"


def test_epochs_of_an_earlier_attempt_tell_nothing_about_this_one(run: Run) -> None:
    before = timezone.now() - timedelta(hours=3)
    for number in (1, 2, 3):
        keep(run, number, before + timedelta(minutes=number))
    assert outlook_of(run) == "Waits for the training worker; it goes on after epoch 3 of 8."
    goes_on(run, ended=[], epochs=3.5, at=15)
    assert outlook_of(run) == "Epoch 4 of 8"
    keep(run, 4, run.started_at + timedelta(seconds=20))
    run.heartbeat_at, run.progress = run.started_at + timedelta(seconds=30), 0.9 * 5 / EPOCHS
    assert outlook_of(run) == "Epoch 5 of 8 · less than a minute left · 10.0 s an epoch"


def test_after_the_last_epoch_it_says_what_is_done_with_the_version(run: Run) -> None:
    goes_on(run, ended=[10 * number for number in range(1, EPOCHS + 1)], epochs=EPOCHS, at=80)
    assert outlook_of(run) == "Writes the new version."
    run.version = make_version("toy-2")
    assert outlook_of(run) == "Reads MNIST’s test set with the new version."


@pytest.mark.parametrize("state", [Run.State.DONE, Run.State.FAILED, Run.State.CANCELED])
def test_a_run_that_has_ended_has_no_outlook(run: Run, state: str) -> None:
    run.state = state
    assert outlook_of(run) == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "less than a minute left"),
        (29, "less than a minute left"),
        (31, "about 1 minute left"),
        (100, "about 2 minutes left"),
        (7_200, "about 120 minutes left"),
    ],
)
def test_time_is_told_in_minutes(seconds: float, words: str) -> None:
    assert time_left(seconds) == words
