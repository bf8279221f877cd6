"""Muon: an optimizer for kernels of convolutions, with orthogonalized momentum.

All directions in which a kernel can change get steps of equal size.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

# Coefficients of an iteration that brings all singular values near 1 in a few steps.
LINEAR, CUBIC, QUINTIC = 3.4445, -4.7750, 2.0315
ITERATIONS = 4


def orthogonal(matrix: Tensor) -> Tensor:
    """An approximation of the nearest orthogonal matrix."""
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = wide / (wide.norm() + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = LINEAR * x + (CUBIC * gram + QUINTIC * gram @ gram) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


class Muon(Optimizer):
    """Orthogonalized Nesterov momentum with decoupled weight decay."""

    def __init__(
        self,
        kernels: Iterable[nn.Parameter],
        lr: float,
        *,
        momentum: float = 0.9,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(kernels, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for kernel in group["params"]:
                momentum = self.state[kernel].setdefault("momentum", torch.zeros_like(kernel))
                momentum.mul_(group["momentum"]).add_(kernel.grad)
                ahead = kernel.grad.add(momentum, alpha=group["momentum"])
                update = orthogonal(ahead.flatten(1)).view_as(kernel)
                tall = max(1.0, kernel.shape[0] / kernel[0].numel()) ** 0.5
                kernel.mul_(1 - group["lr"] * group["weight_decay"])
                kernel.add_(update, alpha=-group["lr"] * tall)
