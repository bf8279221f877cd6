"""How the network learns: batches distorted anew each time, and an average of its past."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from training.engine.data import STRANGER, Digits
from training.engine.distort import distort
from training.engine.muon import Muon
from training.engine.network import Answer, Reader


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what is learned, besides the digits themselves."""

    epochs: int = 20
    seed: int = 0
    batch_size: int = 256
    rate: float = 0.06  # of the kernels; each step turns them by about this much
    small_rate: float = 3e-3  # of norms, biases and the last layers
    warm_up: float = 0.1  # share of all steps in which the rates rise; then they fall
    smoothing: float = 0.03  # share of the target spread over all digits
    memory: float = 0.998  # of the running average that is kept in the end
    distortion: float = 1.0  # of the first epoch
    calm: float = 1.0  # share of it that is left in the last, nearer to what people really draw
    stranger_weight: float = 0.1  # of the loss of telling digits from anything else
    written: int = 24_000  # digits drawn from templates of handwriting
    strangers: int = 8_000  # drawings that are no digits
    validation: int = 4_000  # of MNIST's training part, held out

    def digest_text(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True, slots=True)
class Anchor:
    """A network whose answers about known digits are kept, whatever else is learned."""

    network: Reader
    weight: float  # of departing from its answers, beside one for misreading what is new
    softness: float = 2.0  # temperature of the compared answers: above 1, the unlikely digits count


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass over the digits came to."""

    number: int  # from 1
    loss: float  # mean over the epoch
    accuracy: float  # over the epoch's distorted digits, while they were learned


class Course:
    """A network on its way through a recipe, put aside after any epoch and taken up again."""

    def __init__(
        self,
        network: Reader,
        digits: Digits | Sequence[Digits],
        recipe: Recipe,
        anchor: Anchor | None = None,
    ) -> None:
        """Several digits are for one epoch after another, equally many each."""
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.rounds = [digits] if isinstance(digits, Digits) else digits
        self.recipe, self.anchor = recipe, anchor
        self.device = next(network.parameters()).device
        kernels = [p for p in network.parameters() if p.ndim == 4 and p.shape[1] > 1]
        others = [p for p in network.parameters() if not (p.ndim == 4 and p.shape[1] > 1)]
        self.optimizers = [
            Muon(kernels, lr=recipe.rate),
            torch.optim.AdamW(others, lr=recipe.small_rate),
        ]
        self.epochs_done = 0
        self.epoch_share = 0.0  # done of the epoch under way
        share = _rates(recipe, steps_an_epoch=max(1, len(self.digits) // recipe.batch_size))
        self.schedules = [
            torch.optim.lr_scheduler.LambdaLR(optimizer, share) for optimizer in self.optimizers
        ]
        if anchor is not None:
            anchor.network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = AveragedModel(network, avg_fn=_remembering(recipe.memory), use_buffers=True)
        self.chance = torch.Generator().manual_seed(recipe.seed)

    @property
    def digits(self) -> Digits:
        """What the epoch under way is about."""
        return self.rounds[self.epochs_done % len(self.rounds)]

    @property
    def done(self) -> float:
        """The share of the recipe that is behind us, batch by batch."""
        return min(1.0, (self.epochs_done + self.epoch_share) / self.recipe.epochs)

    @property
    def result(self) -> Reader:
        """The running average of the network: what is kept."""
        return cast(Reader, self.average.module)

    @property
    def distortion(self) -> float:
        """How strongly the epoch under way distorts: from strong to calm in a straight line."""
        done = self.epochs_done / max(1, self.recipe.epochs - 1)
        return self.recipe.distortion * (1 + (self.recipe.calm - 1) * done)

    def epochs(self, each_step: Callable[[], object] = lambda: None) -> Iterator[Epoch]:
        """Go on to the end of the recipe, yielding each epoch; the caller decides what to log."""
        while self.epochs_done < self.recipe.epochs:
            yield self._epoch(each_step)

    def _epoch(self, each_step: Callable[[], object]) -> Epoch:
        # Beside an anchor the norms stand still: means over other digits would move what it holds.
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
            self._step(loss)
            loss_sum += loss.item() * len(batch)
            right += (answer.logits.argmax(1) == labels).sum().item()
            named += (labels != STRANGER).sum().item()
            seen += len(batch)
            self.epoch_share = seen / len(digits)
            each_step()
        self.epochs_done += 1
        self.epoch_share = 0.0
        return Epoch(self.epochs_done, loss_sum / seen, right / max(named, 1))

    def _loss(self, answer: Answer, labels: Tensor) -> Tensor:
        """Name the digit; of what is none, name none with confidence, and say so."""
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
        self, anchor: Anchor, answer: Answer, images: Tensor, batch: Digits
    ) -> Tensor:
        """Learn what is new by its label, and what was known by the anchor's answer to it.

        A label says nothing more about an image that was learned by heart; the anchor's answer, all
        ten digits of it and however the image is bent, still says what must not be forgotten.
        """
        assert batch.known is not None
        known = batch.known.to(self.device)
        new, labels = Answer(*(part[~known] for part in answer)), batch.labels.to(self.device)
        share = len(new.logits) / len(batch)
        loss = torch.zeros((), device=self.device)
        if share > 0:
            loss = share * self._loss(new, labels[~known])
        if share < 1:
            with torch.no_grad(), mixed_precision(self.device):
                held = anchor.network(images[known])
            kept = Answer(*(part[known] for part in answer))
            loss = loss + (1 - share) * self._departure(anchor, kept, held)
        return loss

    def _departure(self, anchor: Anchor, answer: Answer, held: Answer) -> Tensor:
        """How far the network's answers have gone from the anchor's."""
        naming = F.kl_div(
            (answer.logits.float() / anchor.softness).log_softmax(1),
            (held.logits.float() / anchor.softness).log_softmax(1),
            log_target=True,
            reduction="batchmean",
        )
        naming = naming * anchor.softness**2  # then it weighs the same at every softness
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
        """Everything needed to go on as if nothing had happened."""
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
        """Go back to a state of the same recipe."""
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


def fit(network: Reader, digits: Digits, recipe: Recipe) -> Iterator[Epoch]:
    """Train in place, yielding each epoch; in the end the network holds its running average."""
    course = Course(network, digits, recipe)
    yield from course.epochs()
    network.load_state_dict(course.result.state_dict())


def _remembering(memory: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """A running average that forgets its first steps, when the network knew nothing."""

    def averaged(average: Tensor, now: Tensor, steps: Tensor | int) -> Tensor:
        if not now.is_floating_point():
            return now
        kept = min(memory, (float(steps) + 1) / (float(steps) + 10))
        return average.lerp(now, 1 - kept)

    return averaged


def as_images(glyphs: Tensor, device: torch.device | str = "cpu") -> Tensor:
    """Bytes as the network takes them: (N, 1, 28, 28) float32 in [0, 1]."""
    return glyphs.to(device).float() / 255


def mixed_precision(device: torch.device) -> torch.autocast:
    """Products in bfloat16 where the machine multiplies it natively: half the time here."""
    native = device.type != "cpu" or torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=native)


def _rates(recipe: Recipe, steps_an_epoch: int) -> Callable[[int], float]:
    """The share of the full rates at each step: up, then down to nothing, in straight lines."""
    steps = steps_an_epoch * recipe.epochs
    rise = max(1, math.ceil(steps * recipe.warm_up))

    def share(step: int) -> float:
        return max(0.0, min((step + 1) / rise, (steps - step) / max(1, steps - rise)))

    return share
