"""How far a run has come, in words: its stage, the time left and its rate."""

from __future__ import annotations

from training.models import Epoch, Run
from training.runs.retrain import LEARNED


def outlook_of(run: Run) -> str:
    """One line about a run that is queued or running; empty once it has ended."""
    if not run.is_active:
        return ""
    epochs, planned = list(run.epochs.all()), run.recipe["epochs"]
    if run.state == Run.State.QUEUED:
        after = f"; it goes on after epoch {len(epochs)} of {planned}" if epochs else ""
        return f"Waits for the training worker{after}."
    if run.version_id is not None:
        return "Reads MNIST’s test set with the new version."
    if len(epochs) >= planned:
        return "Writes the new version."
    if not run.progress:
        return "Loads the drawings and the weights of its parent."
    return " · ".join([f"Epoch {len(epochs) + 1} of {planned}", *epoch_pace(run, epochs)])


def epoch_pace(run: Run, epochs: list[Epoch]) -> list[str]:
    """The time left and the rate, measured since the first epoch that this attempt finished.

    Times are the database's. What came before that epoch's end took longer, to load.
    """
    if run.started_at is None or run.heartbeat_at is None:
        return []
    first = next((epoch for epoch in epochs if epoch.ended_at > run.started_at), None)
    if first is None:
        return []
    planned = run.recipe["epochs"]
    done = planned * run.progress / LEARNED - first.number  # epochs since then
    seconds = (run.heartbeat_at - first.ended_at).total_seconds()
    if done <= 0 or seconds <= 0:
        return []
    an_epoch = seconds / done
    return [time_left((planned - first.number - done) * an_epoch), f"{an_epoch:.1f} s an epoch"]


def time_left(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute left"
    return f"about {minutes:,} minute{'' if minutes == 1 else 's'} left"
