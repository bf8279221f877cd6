"""Train a network on distorted batches, and keep a running average of its weights."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from training.engine.data import STRANGER, Digits
from training.engine.distort import distort
from training.engine.muon import Muon
from training.engine.network import RawOutput, Reader


@dataclass(frozen=True, slots=True)
class Recipe:
    """All training parameters besides the digits."""

    epochs: int = 20
    seed: int = 0
    batch_size: int = 256
    rate: float = 0.06  # of the kernels, for Muon
    small_rate: float = 3e-3  # of norms, biases and the last layers
    warm_up: float = 0.1  # share of the steps in which the rates rise; then they fall to 0
    smoothing: float = 0.03  # label smoothing: share of the target spread over all digits
    memory: float = 0.998  # of the running average of the weights
    distortion: float = 1.0  # of the first epoch
    calm: float = 1.0  # share of the distortion left in the last epoch, nearer to real drawings
    stranger_weight: float = 0.1  # of the loss that tells digits from other drawings
    written: int = 24_000  # of an epoch: digits drawn from templates of handwriting
    strangers: int = 8_000  # of an epoch: drawings that are no digits
    rounds: int = 1  # sets of drawings, which take turns by epoch
    validation: int = 4_000  # of MNIST's training part, held out
    wide: bool = False  # twice the channels, for a teacher
    teachers: int = 0  # wide networks whose answers are targets beside the labels
    teaching: float = 1.0  # weight of that loss; the loss of the labels has weight 1

    def digest_text(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True, slots=True)
class Anchor:
    """A network (a parent, or teachers) whose answers are targets."""

    network: nn.Module  # a Reader, or something that answers as one
    weight: float  # of that loss; the loss of labels has weight 1
    softness: float = 2.0  # temperature of both answers: above 1, unlikely digits count more


@dataclass(frozen=True, slots=True)
class EpochResult:
    """The result of one pass over the digits."""

    number: int  # from 1
    loss: float  # mean over the epoch
    accuracy: float  # on the epoch's distorted digits, during training


class Course:
    """The training of a network by a recipe; it can stop and continue after any epoch."""

    def __init__(
        self,
        network: Reader,
        digits: Digits | Sequence[Digits],
        recipe: Recipe,
        anchor: Anchor | None = None,
        teacher: Anchor | None = None,
    ) -> None:
        """`digits` may be one set for each epoch, in turn, of equal size.

        The anchor answers for digits marked as known, in the place of their labels; the teacher for
        all digits, beside their labels.
        """
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.rounds = [digits] if isinstance(digits, Digits) else digits
        self.recipe, self.anchor, self.teacher = recipe, anchor, teacher
        self.device = next(network.parameters()).device
        self.optimizers = _optimizers_of(network, recipe)
        self.epochs_done = 0
        self.epoch_share = 0.0  # share of the current epoch that is done
        share = _rates(recipe, steps_an_epoch=max(1, len(self.digits) // recipe.batch_size))
        self.schedules = [
            torch.optim.lr_scheduler.LambdaLR(optimizer, share) for optimizer in self.optimizers
        ]
        for fixed in (anchor, teacher):
            if fixed is not None:
                fixed.network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = AveragedModel(network, avg_fn=_remembering(recipe.memory), use_buffers=True)
        self.chance = torch.Generator().manual_seed(recipe.seed)

    @property
    def digits(self) -> Digits:
        """The digits of the current epoch."""
        return self.rounds[self.epochs_done % len(self.rounds)]

    @property
    def done(self) -> float:
        """The share of the training that is done."""
        return min(1.0, (self.epochs_done + self.epoch_share) / self.recipe.epochs)

    @property
    def result(self) -> Reader:
        """The running average of the network, which is the result."""
        return cast(Reader, self.average.module)

    @property
    def distortion(self) -> float:
        """The strength of distortion in the current epoch; it decreases linearly."""
        done = self.epochs_done / max(1, self.recipe.epochs - 1)
        return self.recipe.distortion * (1 + (self.recipe.calm - 1) * done)

    def epochs(self, each_step: Callable[[], object] = lambda: None) -> Iterator[EpochResult]:
        """Train to the end and yield each epoch."""
        while self.epochs_done < self.recipe.epochs:
            yield self._epoch(each_step)

    def _epoch(self, each_step: Callable[[], object]) -> EpochResult:
        # With an anchor, batch norm statistics are fixed: new ones would change known answers.
        self.network.train(self.anchor is None)
        loss_sum = right = seen = named = 0.0
        digits = self.digits
        size = min(self.recipe.batch_size, len(digits))
        for batch in digits.shuffled_batches(size, self.chance):
            images = as_images(batch.glyphs, self.device)
            strengths = self.distortion if batch.strengths is None else batch.strengths
            images = distort(images, self.chance, strengths)
            labels = batch.labels.to(self.device)
            images = images.contiguous(memory_format=torch.channels_last)
            with mixed_precision(self.device):
                answer = self.network(images)
            if self.anchor is None or batch.known is None:
                loss = self._loss(answer, labels)
            else:
                loss = self._anchored_loss(self.anchor, answer, images, batch)
            if self.teacher is not None:
                loss = loss + self._departure(self.teacher, answer, images)
            self._step(loss)
            loss_sum += loss.item() * len(batch)
            right += (answer.logits.argmax(1) == labels).sum().item()
            named += (labels != STRANGER).sum().item()
            seen += len(batch)
            self.epoch_share = seen / len(digits)
            each_step()
        self.epochs_done += 1
        self.epoch_share = 0.0
        return EpochResult(self.epochs_done, loss_sum / seen, right / max(named, 1))

    def _loss(self, answer: RawOutput, labels: Tensor) -> Tensor:
        """Cross entropy of the digit (uniform target for no digit) and of `strangeness`."""
        is_stranger = labels == STRANGER
        targets = F.one_hot(labels.clamp(min=0), 10).float()
        spread = torch.where(is_stranger, 1.0, self.recipe.smoothing)[:, None]
        targets = targets * (1 - spread) + spread / 10
        naming = F.cross_entropy(answer.logits.float(), targets)
        telling = F.binary_cross_entropy_with_logits(
            answer.strangeness.float(), is_stranger.float()
        )
        return naming + self.recipe.stranger_weight * telling

    def _anchored_loss(
        self, anchor: Anchor, answer: RawOutput, images: Tensor, batch: Digits
    ) -> Tensor:
        """The loss of new digits against labels, and of known ones against the anchor's answers.

        The label of a known image teaches the network nothing new. The anchor's answer to it, with
        all ten digits and for any distortion, still shows what must not be forgotten.
        """
        assert batch.known is not None
        known = batch.known.to(self.device)
        new, labels = RawOutput(*(part[~known] for part in answer)), batch.labels.to(self.device)
        share = len(new.logits) / len(batch)
        loss = torch.zeros((), device=self.device)
        if share > 0:
            loss = share * self._loss(new, labels[~known])
        if share < 1:
            kept = RawOutput(*(part[known] for part in answer))
            loss = loss + (1 - share) * self._departure(anchor, kept, images[known])
        return loss

    def _departure(self, anchor: Anchor, answer: RawOutput, images: Tensor) -> Tensor:
        """The divergence of the network's answers from the anchor's."""
        with torch.no_grad(), mixed_precision(self.device):
            held = anchor.network(images)
        naming = F.kl_div(
            (answer.logits.float() / anchor.softness).log_softmax(1),
            (held.logits.float() / anchor.softness).log_softmax(1),
            log_target=True,
            reduction="batchmean",
        )
        naming = naming * anchor.softness**2  # so that the weight does not depend on it
        telling = F.binary_cross_entropy_with_logits(
            answer.strangeness.float(), held.strangeness.float().sigmoid()
        )
        return anchor.weight * naming + self.recipe.stranger_weight * telling

    def _step(self, loss: Tensor) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for optimizer, schedule in zip(self.optimizers, self.schedules, strict=True):
            optimizer.step()
            schedule.step()
        self.average.update_parameters(self.network)

    def state(self) -> dict[str, Any]:
        """The full state for a checkpoint."""
        return {
            "recipe": self.recipe.digest_text(),
            "epochs_done": self.epochs_done,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [o.state_dict() for o in self.optimizers],
            "schedules": [s.state_dict() for s in self.schedules],
            "chance": self.chance.get_state(),
        }

    def take_up(self, state: dict[str, Any]) -> None:
        """Load a state made with the same recipe."""
        if state["recipe"] != self.recipe.digest_text():
            raise ValueError("The state belongs to another recipe.")
        self.epochs_done = state["epochs_done"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        for optimizer, held in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(held)
        for schedule, held in zip(self.schedules, state["schedules"], strict=True):
            schedule.load_state_dict(held)
        self.chance.set_state(state["chance"])


def _remembering(memory: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """A running average with less memory in the first steps, as their weights are poor."""

    def averaged(average: Tensor, now: Tensor, steps: Tensor | int) -> Tensor:
        if not now.is_floating_point():
            return now
        kept = min(memory, (float(steps) + 1) / (float(steps) + 10))
        return average.lerp(now, 1 - kept)

    return averaged


def as_images(glyphs: Tensor, device: torch.device | str = "cpu") -> Tensor:
    """The network's input, (N, 1, 28, 28) float32 in [0, 1]."""
    return glyphs.to(device).float() / 255


def mixed_precision(device: torch.device) -> torch.autocast:
    """Use bfloat16 if the processor multiplies it natively; it takes half the time."""
    native = device.type != "cpu" or torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=native)


def _optimizers_of(network: Reader, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the kernels of convolutions over several channels, AdamW for all else."""
    kernels = [p for p in network.parameters() if p.ndim == 4 and p.shape[1] > 1]
    others = [p for p in network.parameters() if not (p.ndim == 4 and p.shape[1] > 1)]
    return [Muon(kernels, lr=recipe.rate), torch.optim.AdamW(others, lr=recipe.small_rate)]


def _rates(recipe: Recipe, steps_an_epoch: int) -> Callable[[int], float]:
    """The factor of the rates at each step: linear warm-up, then linear decay to 0."""
    steps = steps_an_epoch * recipe.epochs
    rise = max(1, math.ceil(steps * recipe.warm_up))

    def share(step: int) -> float:
        return max(0.0, min((step + 1) / rise, (steps - step) / max(1, steps - rise)))

    return share
