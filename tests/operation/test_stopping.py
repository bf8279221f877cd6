"""A stop while a run is under way: everything ends by itself, and the run goes on afterwards."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.operation.installation import (
    ROOT,
    Installation,
    database_url,
    gone,
    until,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("workers")]
EPOCHS = 500  # longer than any test, each of a second

ASK = f"""
import django
django.setup()
from tests.training.lessons import labeled
from training.runs import retrain
from training.models import Run
from training.snapshots.snapshots import default_rule
from training.runs.recipe import Tuning
for digit in range(10):
    labeled(digit)
tuning = Tuning(epochs={EPOCHS}, digits_an_epoch=256, validation=64, replays="written")
run = retrain.queue_run(
    default_rule(), trigger=Run.Trigger.COMMAND, by=None, least=1, seed=0, tuning=tuning
)
retrain.enqueue_run(run)
"""
TELL = """
import json
import django
django.setup()
from training.models import Run
run = Run.objects.get()
print(json.dumps({
    "state": run.state, "attempts": run.attempts, "begun": run.log.count("Attempt "),
    "epochs": run.epochs.count(), "first": run.log.count("Epoch 1:"), "process": run.process,
    "has_checkpoint": run.checkpoint is not None, "reason": run.reason,
}))
"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Installation]:
    with database_url() as url:
        installation = Installation(tmp_path, url, settings={"TRAINING_THREADS": "1"})
        try:
            installation.start()
            yield installation
        finally:
            installation.end()


def python(installation: Installation, script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**installation.environment, "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_of(installation: Installation) -> Any:
    return json.loads(python(installation, TELL).splitlines()[-1])


def learned(installation: Installation, *, more_than: int) -> Any:
    """The run, once it has come further than so many epochs."""
    asked = "SELECT COUNT(*) FROM training_epoch, training_run WHERE checkpoint IS NOT NULL"
    until(
        lambda: installation.row(asked)[0] > more_than,
        what=f"more than {more_than} epochs are learned",
    )
    return run_of(installation)


def test_a_run_that_is_under_way_holds_up_no_stop_and_goes_on_after_it(own: Installation) -> None:
    python(own, ASK)
    before = learned(own, more_than=1)
    started = own.processes()
    assert before["process"] in {process.pid for process in started}
    assert own.kill(signal.SIGINT) == 0
    assert gone(started)
    assert "killing the rest" not in own.log
    stopped = run_of(own)
    assert (stopped["state"], stopped["attempts"], stopped["reason"]) == ("queued", 0, "")
    own.start()
    after = learned(own, more_than=stopped["epochs"])
    assert (after["state"], after["attempts"], after["begun"]) == ("running", 1, 2)
    assert after["first"] == 1  # from its checkpoint, not from the beginning
