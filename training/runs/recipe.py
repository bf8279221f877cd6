"""The recipe of a fine-tune: everything that decides what is learned, besides the labels."""

from __future__ import annotations

from dataclasses import dataclass, replace

LEAST_DIGITS = 4_500  # of an epoch: of a person's few labels many are doubted and repeated most
DIGITS_A_LABEL = 42  # of an epoch: a quarter are new with ten repeats, more where many are doubted


@dataclass(frozen=True, slots=True)
class Tuning:
    """Numbers stored on the run. Web processes import this, so it must not import torch."""

    seed: int = 0
    epochs: int = 8
    digits_an_epoch: int = 18_000  # at most; see tuning_for
    new_share: float = 0.4  # of an epoch; each new label at most `repeats` times
    repeats: int = 10
    doubted_repeats: int = 30  # of a label that the parent doubts; 0: as often as of the others
    doubted_below: float = 0.95  # the parent's confidence in such a label
    doubted_distortion: float = 0.6  # near the drawing itself
    written_share: float = 0.12  # of an epoch: digits drawn from templates of handwriting
    stranger_share: float = 0.04  # of an epoch: drawings that are no digits
    batch_size: int = 128
    rate: float = 0.006  # of the kernels; a tenth of the base's rate
    small_rate: float = 6e-4
    memory: float = 0.99  # of the running average that is kept
    smoothing: float = 0.03
    distortion: float = 1.2  # of replayed digits, so that the anchor holds for distorted ones too
    new_distortion: float = 1.5  # of new labels: few writers stand for many others
    anchor_weight: float = 3.0  # of the parent's answers as targets of the replay; 0: its labels
    other_replay: bool = True  # other images of MNIST in every epoch
    parent_share: float = 0.0  # of the parent's weights averaged in at the end
    validation: int = 4_000  # replayed digits held out to set the temperature
    keeps_warmth: bool = True  # the temperature stays as far above the replay's as the parent's
    hands: int = 2  # edition of the templates of handwriting, of this release alone
    replays: str = "mnist"  # or "written": drawn from templates, without MNIST


def tuning_for(labels: int, *, seed: int = 0) -> Tuning:
    """A shorter fine-tune for few labels, so that replayed digits do not outweigh them."""
    tuning = Tuning(seed=seed)
    digits = max(LEAST_DIGITS, DIGITS_A_LABEL * labels)
    return replace(tuning, digits_an_epoch=min(digits, tuning.digits_an_epoch))
