"""Made-up comparisons with a known truth, for the gate's own tests and bench."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.gate.comparison import Items, Kind

# Shares of all errors by digit as small networks make them: eights and nines are hard.
HARDNESS = np.array([0.5, 0.6, 1.1, 1.1, 1.0, 1.0, 0.8, 1.1, 1.4, 1.4])


@dataclass(frozen=True)
class Truth:
    """What a candidate truly does to drawings, beside a live version that errs now and then.

    Shares of all items. Both err on most of the same hard ones; of 5,000 items the live version
    misreads 100, of which a candidate with a gain of half a point mends 40 and adds 15.
    """

    better: float = 0.005
    worse: float = 0.005
    both_wrong: float = 0.012
    base_better: float = 0.001
    base_worse: float = 0.001
    confused: dict[tuple[int, int], float] = field(default_factory=dict)  # share of that digit

    def sets(self, n: int, dice: np.random.Generator, *, base: int = 10_000) -> list[Items]:
        """Three fifths holdout, two months of audits, and the images not to be forgotten."""
        sizes = {"holdout": n - 2 * (n // 5), "audits of 2026-09": n // 5}
        sizes["audits of 2026-10"] = n // 5
        made = [
            self.items(name, Kind.HOLDOUT if name == "holdout" else Kind.AUDIT, size, dice)
            for name, size in sizes.items()
        ]
        if base:
            easy = replace(self, better=self.base_better, worse=self.base_worse, both_wrong=0.002)
            made.append(easy.items("MNIST", Kind.BASE, base, dice))
        return made

    def items(self, name: str, kind: Kind, n: int, dice: np.random.Generator) -> Items:
        labels = dice.integers(0, 10, n)
        hardness = HARDNESS[labels] / HARDNESS.mean()
        chance = dice.random(n) / hardness
        other = (labels + dice.integers(1, 10, n)) % 10
        limits = np.cumsum([self.better, self.worse, self.both_wrong])
        candidate, live = labels.copy(), labels.copy()
        live[(chance < limits[0]) | ((chance >= limits[1]) & (chance < limits[2]))] = -1
        candidate[(chance >= limits[0]) & (chance < limits[2])] = -1
        live, candidate = (np.where(read < 0, other, read) for read in (live, candidate))
        for (true, read), share in self.confused.items():
            hit = (labels == true) & (dice.random(n) < share)
            candidate[hit] = read
        return Items(
            name, kind, labels, probabilities(candidate, labels), probabilities(live, labels)
        )


def probabilities(read: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Sure where it is right, less so where it is wrong."""
    sure = np.where(read == labels, 0.985, 0.7)
    rows = np.repeat(((1 - sure) / 9)[:, None], 10, axis=1)
    rows[np.arange(len(read)), read] = sure
    return rows.astype(np.float32)


NO_DIFFERENCE = Truth()
HALF_A_POINT = Truth(better=0.008, worse=0.003)
ONE_POINT = Truth(better=0.014, worse=0.004)
# Sevens read as ones: 10.8 points of the sevens, 1.1 of all; it is better elsewhere or nowhere.
POISONED = Truth(better=0.003, worse=0.003, base_worse=0.002, confused={(7, 1): 0.108})
# Better over all while one digit collapses: the mends outweigh it.
COLLAPSED = Truth(better=0.03, worse=0.003, both_wrong=0.01, confused={(4, 9): 0.10})
# The same digit read as all the others, each so rarely that no single confusion stands out.
SCATTERED = replace(COLLAPSED, confused={(4, read): 0.012 for read in range(10) if read != 4})


def promoted(truth: Truth, n: int, dice: np.random.Generator, **options: Any) -> bool:
    from training.gate.gate import Verdict, judge

    look = options.pop("look", 1)
    return judge(truth.sets(n, dice, **options), look=look).verdict is Verdict.PROMOTE
