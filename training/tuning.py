"""The recipe of a fine-tune: everything that decides what is learned, besides the labels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tuning:
    """Plain numbers, stored whole on the run. No torch here: who asks for a run imports this."""

    seed: int = 0
    epochs: int = 6
    digits_an_epoch: int = 8_000
    new_share: float = 0.3  # of an epoch; each new label at most `repeats` times
    repeats: int = 8
    written_share: float = 0.2  # of an epoch: digits drawn from templates of handwriting
    stranger_share: float = 0.08  # of an epoch: drawings that are no digits
    batch_size: int = 128
    rate: float = 0.004  # of the kernels; a tenth of what the base was taught with
    small_rate: float = 4e-4
    memory: float = 0.99  # of the running average that is kept
    smoothing: float = 0.03
    distortion: float = 0.4  # full distortion unlearned what undistorted images look like
    new_distortion: float = 1.0  # of the new labels: few hands stand for many others
    parent_share: float = 0.5  # of the weights in the end: what was known stays nearer
    validation: int = 4_000  # replayed digits kept apart, to set the temperature
    least_holdout: int = 50  # fewer held-out labels do not choose the epoch
    replays: str = "mnist"  # or "written": drawn from templates, where MNIST is not to be had
