"""Digits as tensors, and how MNIST's files are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

STRANGER = -1  # the label of a drawing that is no digit


@dataclass(frozen=True, slots=True)
class Digits:
    """Glyphs and their labels, in the same order."""

    glyphs: Tensor  # (N, 1, 28, 28) uint8, white ink on black
    labels: Tensor  # (N,) int64, 0 to 9; -1: no digit
    strengths: Tensor | None = None  # (N,) of distortions; None: as in the recipe
    known: Tensor | None = None  # (N,) bool, replayed, with the anchor's answer as target

    def __post_init__(self) -> None:
        if self.glyphs.shape != (len(self.labels), 1, 28, 28) or self.glyphs.dtype != torch.uint8:
            raise ValueError(f"Glyphs of {tuple(self.glyphs.shape)} for {len(self.labels)} labels.")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, which: slice | Tensor) -> Digits:
        strengths = None if self.strengths is None else self.strengths[which]
        known = None if self.known is None else self.known[which]
        return Digits(self.glyphs[which], self.labels[which], strengths, known)

    def distorted_by(self, strength: float) -> Digits:
        """The same digits with a strength of distortion that replaces the recipe's."""
        return replace(self, strengths=torch.full((len(self),), strength))

    def marked(self, *, known: bool) -> Digits:
        """The same digits, marked to have the anchor's answers as targets or not."""
        return replace(self, known=torch.full((len(self),), known))

    def batches(self, size: int) -> Iterator[Digits]:
        """Batches in order; the last one may be smaller."""
        for start in range(0, len(self), size):
            yield self[start : start + size]

    def shuffled_batches(self, size: int, generator: torch.Generator) -> Iterator[Digits]:
        """Full batches in random order; the remainder is left out."""
        order = torch.randperm(len(self), generator=generator)
        for start in range(0, len(self) - size + 1, size):
            yield self[order[start : start + size]]


def joined(parts: Sequence[Digits]) -> Digits:
    return Digits(
        torch.cat([p.glyphs for p in parts]),
        torch.cat([p.labels for p in parts]),
        _all_or_none([p.strengths for p in parts], "how strongly they are distorted"),
        _all_or_none([p.known for p in parts], "whether they were known"),
    )


def _all_or_none(parts: Sequence[Tensor | None], what: str) -> Tensor | None:
    said = [part for part in parts if part is not None]
    if said and len(said) < len(parts):
        raise ValueError(f"Either all parts say {what}, or none does.")
    return torch.cat(said) if said else None


def mnist(folder: Path, part: str) -> Digits:
    """One of MNIST's two parts, `train` or `t10k`, from its unpacked IDX files."""
    from training.engine.vision import StoredMnist  # a second, and few need it

    stored = StoredMnist(folder, train=part == "train")
    return Digits(stored.data[:, None], stored.targets)
