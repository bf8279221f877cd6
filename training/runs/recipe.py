"""The recipe of a fine-tune: everything that decides what is learned, besides the labels."""

from __future__ import annotations

from dataclasses import dataclass, replace

LEAST_DIGITS = 2_500  # of an epoch, however few labels there are
DIGITS_A_LABEL = 28  # of an epoch: each label ten times, which is more than a third of it


@dataclass(frozen=True, slots=True)
class Tuning:
    """Plain numbers, stored whole on the run. No torch here: who asks for a run imports this."""

    seed: int = 0
    epochs: int = 8
    digits_an_epoch: int = 10_000  # at most; see tuning_for
    new_share: float = 0.4  # of an epoch; each new label at most `repeats` times
    repeats: int = 10
    written_share: float = 0.12  # of an epoch: digits drawn from templates of handwriting
    stranger_share: float = 0.04  # of an epoch: drawings that are no digits
    batch_size: int = 128
    rate: float = 0.006  # of the kernels; a tenth of what the base was taught with
    small_rate: float = 6e-4
    memory: float = 0.99  # of the running average that is kept
    smoothing: float = 0.03
    distortion: float = 1.2  # of what is replayed, so that the anchor holds far around it
    new_distortion: float = 1.5  # of the new labels: few hands stand for many others
    anchor_weight: float = 3.0  # of keeping the parent's answers to what is replayed; 0: its labels
    other_replay: bool = True  # other images of MNIST in every epoch
    parent_share: float = 0.0  # of the weights given back in the end
    validation: int = 4_000  # replayed digits kept apart, to set the temperature
    least_holdout: int = 50  # fewer held-out labels do not choose the epoch
    replays: str = "mnist"  # or "written": drawn from templates, where MNIST is not to be had


def tuning_for(labels: int, *, seed: int = 0) -> Tuning:
    """Few labels make a short lesson: in a long one they would be lost among what is known."""
    tuning = Tuning(seed=seed)
    digits = max(LEAST_DIGITS, DIGITS_A_LABEL * labels)
    return replace(tuning, digits_an_epoch=min(digits, tuning.digits_an_epoch))
