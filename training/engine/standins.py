"""Digits that stand in for people's drawings where a history is made up: distorted, on a canvas."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image

from training.engine.data import Digits, mnist
from training.engine.distort import distort
from training.engine.fit import as_images
from training.engine.strokes import strangers, written_digits

CANVAS = 112  # pixels a side, about what the page's canvas leaves of a small drawing
MOST_WRITTEN = 3_000  # glyphs drawn from templates; each is used again, bent in another way


class StandIns:
    """Drawings without end: each digit of a pool in turn, bent as strongly as is asked for."""

    def __init__(self, digits: Digits, seed: int) -> None:
        self.chance = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(digits), generator=self.chance)
        self.digits = digits[order]
        self.at = 0

    @classmethod
    def of_mnist(cls, folder: Path, seed: int) -> StandIns:
        """From MNIST's training part: its test part judges, and must stay unseen."""
        return cls(mnist(folder, "train"), seed)

    @classmethod
    def written(cls, count: int, seed: int) -> StandIns:
        """From templates of handwriting, where MNIST is not to be had."""
        return cls(written_digits(max(min(count, MOST_WRITTEN), 10), seed), seed)

    @classmethod
    def of_no_digit(cls, count: int, seed: int) -> StandIns:
        """What people draw that nobody can read as a digit; its label is -1."""
        return cls(strangers(max(count, 8), seed), seed)

    def drawings(self, count: int, strength: float) -> Iterator[tuple[bytes, int]]:
        """PNGs of dark ink on white paper, each with the digit it is."""
        if count == 0:
            return
        taken = self._take(count)
        bent = distort(as_images(taken.glyphs), self.chance, strength)
        glyphs = (bent * 255).round().byte()[:, 0].numpy()
        for glyph, label in zip(glyphs, taken.labels.tolist(), strict=True):
            paper = Image.fromarray(255 - glyph).resize((CANVAS, CANVAS), Image.Resampling.BICUBIC)
            file = io.BytesIO()
            paper.save(file, "PNG", compress_level=1)
            yield file.getvalue(), label

    def _take(self, count: int) -> Digits:
        places = (torch.arange(count) + self.at) % len(self.digits)
        self.at += count
        return self.digits[places]
