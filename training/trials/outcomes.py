"""A drawing that the two versions read differently, and what people say it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answered disagreement."""

    author: str
    truth: int
    live: int
    candidate: int

    @property
    def is_better(self) -> bool:
        return self.candidate == self.truth

    @property
    def is_worse(self) -> bool:
        return self.live == self.truth


@dataclass(frozen=True, slots=True)
class Balance:
    """How many drawings the candidate reads better, and how many worse."""

    better: int = 0
    worse: int = 0

    @property
    def lost(self) -> int:
        return self.worse - self.better

    @classmethod
    def total(cls, balances: Iterable[Balance]) -> Balance:
        rows = [(each.better, each.worse) for each in balances]
        return cls(sum(row[0] for row in rows), sum(row[1] for row in rows))


def before(keys: Sequence[Hashable], is_better: Sequence[bool]) -> tuple[list[int], list[int]]:
    """For each outcome, how many better and how many worse ones with the same key came before."""
    counts: dict[Hashable, tuple[int, int]] = {}
    found = []
    for key, better in zip(keys, is_better, strict=True):
        so_far = counts.get(key, (0, 0))
        found.append(so_far)
        counts[key] = so_far[0] + better, so_far[1] + (not better)
    return [each[0] for each in found], [each[1] for each in found]


def balances_by(better: Iterable[Key], worse: Iterable[Key]) -> dict[Key, Balance]:
    """The balance of each key."""
    mended, broken = Counter(better), Counter(worse)
    return {key: Balance(mended[key], broken[key]) for key in {**mended, **broken}}


def balances_by_author(outcomes: Sequence[Outcome]) -> dict[str, Balance]:
    return balances_by(
        (each.author for each in outcomes if each.is_better),
        (each.author for each in outcomes if each.is_worse),
    )
