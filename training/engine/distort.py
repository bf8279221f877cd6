"""Distort batches of digits, to imitate other writers and pens."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

# Maxima at strength 1. Coordinates run from -1 to 1 across the 28 pixels.
TURN = math.radians(12)
SLANT = 0.25
STRETCH = 0.16  # natural logarithm of the factor, for width and height
SHIFT = 0.14  # 2 pixels
WAVES = ((5, 0.045), (8, 0.02))  # elastic: knots per side, standard deviation at a knot
THICKER, THINNER = 0.25, 0.20  # shares of the batch
FADE = 0.35  # natural logarithm of the exponent of the gray levels


def distort(images: Tensor, generator: Generator, strength: float | Tensor = 1.0) -> Tensor:
    """Distort each of the images, (N, 1, 28, 28) in [0, 1], differently.

    `strength` is one for all or one for each, (N,). The generator is on the CPU, so that every
    device gets the same random numbers.
    """
    count, device = len(images), images.device
    grid = _affine(count, generator, strength) + _elastic(count, generator, strength)
    moved = F.grid_sample(images, grid.to(device), align_corners=False)
    pens, depth, fade = (draw.to(device) for draw in _pens(count, generator, strength))
    thicker = moved + depth * (F.max_pool2d(moved, 3, 1, 1) - moved)
    thinner = moved - 0.7 * depth * (moved + F.max_pool2d(-moved, 3, 1, 1))
    inked = torch.where(pens < THICKER, thicker, moved)
    inked = torch.where(pens > 1 - THINNER, thinner, inked)
    return inked.clamp(0, 1).pow(fade)


def _between(count: int, most: float | Tensor, generator: Generator) -> Tensor:
    return (torch.rand(count, generator=generator) * 2 - 1) * most


def _affine(count: int, generator: Generator, strength: float | Tensor) -> Tensor:
    turn, slant, wide, high, right, down = (
        _between(count, most * strength, generator)
        for most in (TURN, SLANT, STRETCH, STRETCH, SHIFT, SHIFT)
    )
    cos, sin, wide, high = turn.cos(), turn.sin(), wide.exp(), high.exp()
    rows = [cos / wide, (slant - sin) / wide, right, sin / high, cos / high, down]
    matrices = torch.stack(rows, dim=1).view(count, 2, 3)
    return F.affine_grid(matrices, [count, 1, 28, 28], align_corners=False)


def _elastic(count: int, generator: Generator, strength: float | Tensor) -> Tensor:
    """Smooth displacements, (N, 28, 28, 2): coarse noise, interpolated."""
    if isinstance(strength, Tensor):
        strength = strength.view(-1, 1, 1, 1)
    total = torch.zeros(count, 2, 28, 28)
    for knots, deviation in WAVES:
        noise = torch.randn(count, 2, knots, knots, generator=generator) * deviation * strength
        total += F.interpolate(noise, size=(28, 28), mode="bicubic", align_corners=True)
    return total.permute(0, 2, 3, 1)


def _pens(
    count: int, generator: Generator, strength: float | Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """For each image: which pen, how much it changes the strokes, and how gray fades."""
    which = torch.rand(count, generator=generator)
    depth = torch.rand(count, generator=generator) * 0.8 * strength
    fade = _between(count, FADE * strength, generator).exp()
    return which.view(-1, 1, 1, 1), depth.view(-1, 1, 1, 1), fade.view(-1, 1, 1, 1)
