"""Calibrate confidence with one temperature for all logits."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

COLDEST, HOTTEST = 0.2, 5.0
SEARCHES = 40  # each keeps 0.62 of the range: 40 exceed the precision of float32


def temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature with the lowest cross entropy, by golden section search."""

    def surprise(log_temperature: float) -> float:
        return F.cross_entropy(logits.double() / torch.tensor(log_temperature).exp(), labels).item()

    golden = (5**0.5 - 1) / 2
    low, high = (torch.tensor(bound).log().item() for bound in (COLDEST, HOTTEST))
    for _ in range(SEARCHES):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if surprise(left) < surprise(right):
            high = right
        else:
            low = left
    return float(torch.tensor((low + high) / 2).exp())
