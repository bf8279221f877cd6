"""The network that reads a glyph: few channels at full size, more at smaller sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RawOutput(NamedTuple):
    """The output of the network before softmax and sigmoid."""

    logits: Tensor  # (N, 10)
    strangeness: Tensor  # (N,) logit of "this is no digit"
    features: Tensor  # (N, features), never negative


class Convolution(nn.Module):
    """A convolution with batch norm and ReLU."""

    def __init__(self, into: int, out: int, size: int, *, stride: int = 1, padding: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(into, out, size, stride, padding, bias=False)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        rectified: Tensor = F.relu(self.norm(self.conv(x)))
        return rectified

    def folded(self) -> tuple[Tensor, Tensor]:
        """The weight and bias of one convolution that includes the batch norm, for serving."""
        mean, variance = self.norm.running_mean, self.norm.running_var
        assert mean is not None  # the norm tracks running statistics
        assert variance is not None
        scale = self.norm.weight / torch.sqrt(variance + self.norm.eps)
        weight = self.conv.weight * scale[:, None, None, None]
        return weight, self.norm.bias - mean * scale


class Residual(Convolution):
    """A 3×3 convolution with a residual connection; it also folds into one convolution."""

    def __init__(self, width: int) -> None:
        super().__init__(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.norm(self.conv(x)))

    def folded(self) -> tuple[Tensor, Tensor]:
        weight, bias = super().folded()
        return weight + nn.init.dirac_(torch.empty_like(weight)), bias  # the residual connection


WIDE = (32, 64, 128)  # channels of a teacher


class Reader(nn.Module):
    """Reads glyphs as digits, and tells whether they are digits at all."""

    def __init__(
        self,
        widths: tuple[int, int, int] = (16, 32, 64),
        residuals: tuple[int, int, int] = (1, 2, 2),
        features: int = 32,
    ) -> None:
        super().__init__()
        first, second, third = widths
        self.convolutions = nn.Sequential(
            Convolution(1, first, 5, padding=0),  # 24×24: a glyph's border is empty
            *(Residual(first) for _ in range(residuals[0])),
            Convolution(first, second, 3, stride=2, padding=1),  # 12×12
            *(Residual(second) for _ in range(residuals[1])),
            Convolution(second, third, 3, stride=2, padding=1),  # 6×6
            *(Residual(third) for _ in range(residuals[2])),
        )
        # No pooling: in a centered glyph, the position of a stroke matters.
        self.whole = Convolution(third, features, 6, padding=0)
        self.digits = nn.Linear(features, 10)
        self.stranger = nn.Linear(features, 1)

    def forward(self, images: Tensor) -> RawOutput:
        """Read images, (N, 1, 28, 28) in [0, 1]."""
        features = self.whole(self.convolutions(images)).flatten(1)
        return RawOutput(self.digits(features), self.stranger(features).squeeze(1), features)

    @property
    def parameters_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def describe(self) -> str:
        """The layers in a line: channels in and out, and kernel size."""
        parts = []
        for layer in [*self.convolutions, self.whole]:
            conv = layer.conv
            plus = "+" if isinstance(layer, Residual) else ""
            stride = f"/{conv.stride[0]}" if conv.stride[0] > 1 else ""
            size = f"{conv.kernel_size[0]}×{conv.kernel_size[1]}"
            parts.append(f"{conv.in_channels}→{conv.out_channels} {size}{stride}{plus}")
        return ", ".join(parts) + f"; {self.digits.in_features}→10 digits, →1 stranger"

    def multiply_adds(self) -> int:
        """Multiply-adds to read one glyph, with folded batch norms."""
        total = self.digits.weight.numel() + self.stranger.weight.numel()
        with torch.no_grad():
            x = torch.zeros(1, 1, 28, 28)
            for layer in [*self.convolutions, self.whole]:
                x = layer.conv(x)
                total += layer.conv.weight.numel() * x.shape[2] * x.shape[3]
        return total


class Panel(nn.Module):
    """Several networks that answer as one: the mean of their probabilities."""

    def __init__(self, members: Sequence[Reader]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, images: Tensor) -> RawOutput:
        answers = [member(images) for member in self.members]
        logits, strangeness = (
            torch.stack(column).float() for column in list(zip(*answers, strict=True))[:2]
        )
        count = math.log(len(answers))
        return RawOutput(
            logits.log_softmax(2).logsumexp(0) - count,
            strangeness.sigmoid().mean(0).logit(eps=1e-6),
            answers[0].features,
        )
