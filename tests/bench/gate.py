"""How often the gate errs: made-up comparisons with a known truth, and its intervals' coverage."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from typing import Any

import numpy as np

from tests.bench.report import finish, table
from tests.training.comparisons import (
    COLLAPSED,
    HALF_A_POINT,
    NO_DIFFERENCE,
    ONE_POINT,
    POISONED,
    SCATTERED,
    Truth,
)
from training.gate.checks import Bounds
from training.gate.comparison import Items, Kind, Pairs
from training.gate.gate import judge

NEW_HANDS = Truth(better=0.04, worse=0.004, both_wrong=0.008)  # a twentieth is misread
SOUND = Truth(better=0.001, worse=0.001, both_wrong=0.002)  # MNIST, where it knows of no harm
BLIND = "; MNIST unharmed"
CASES: list[tuple[str, Truth, int]] = [
    ("no true difference", NO_DIFFERENCE, 5_000),
    ("no true difference, small", NO_DIFFERENCE, 1_500),
    ("half a point better", HALF_A_POINT, 5_000),
    ("half a point better, more differ", Truth(better=0.010, worse=0.005), 5_000),
    ("a point better", ONE_POINT, 5_000),
    ("a point better, fewer drawings", ONE_POINT, 3_000),
    ("sevens read as ones", POISONED, 5_000),
    ("sevens read as ones, small", POISONED, 800),
    ("one digit collapsed, better over all", COLLAPSED, 5_000),
    ("one digit collapsed, small", COLLAPSED, 1_500),
    # About as many as judge among 500, 3,000 and 5,000 labels: MNIST carries the digits.
    ("no true difference, few", NO_DIFFERENCE, 120),
    ("no true difference, few", NO_DIFFERENCE, 600),
    ("new hands, few", NEW_HANDS, 120),
    ("new hands, few", NEW_HANDS, 600),
    ("sevens read as ones, few", POISONED, 120),
    ("one digit collapsed" + BLIND, COLLAPSED, 120),
    ("one digit collapsed" + BLIND, COLLAPSED, 600),
    ("one digit scattered" + BLIND, SCATTERED, 600),
    ("one digit scattered" + BLIND, SCATTERED, 2_000),
]
SHARES = [(0.008, 0.003), (0.005, 0.005), (0.02, 0.005), (0.0, 0.02)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2_000, help="comparisons a case")
    parser.add_argument("--looks", type=int, default=10, help="candidates tried on the same items")
    options = parser.parse_args()
    figures: dict[str, Any] = {"rounds": options.rounds, "cases": {}}
    rows: list[tuple[Any, ...]] = [("truth", "drawings", "promote", "reject", "more", "s")]
    for name, truth, n in CASES:
        began = time.perf_counter()
        dice = np.random.default_rng(n)
        verdicts = Counter(
            str(judge(sets(name, truth, n, dice), look=1).verdict) for _ in range(options.rounds)
        )
        seconds = time.perf_counter() - began
        shares = [verdicts[each] / options.rounds for each in ("promote", "reject", "more")]
        rows.append((name, n, *(f"{share:.1%}" for share in shares), f"{seconds:.0f}"))
        figures["cases"][f"{name}, {n}"] = {"drawings": n, **verdicts}
    table(rows)
    figures["promoted_in_looks"] = share_over_looks(options.looks, 10 * options.rounds)
    print(
        f"\nno true difference, {options.looks} looks: {figures['promoted_in_looks']:.1%} promoted"
    )
    figures["coverage"] = coverage(options.rounds)
    print()
    table([("drawings", "better", "worse", "95 % limit covers"), *figures["coverage"]])
    finish(figures)


def sets(name: str, truth: Truth, n: int, dice: np.random.Generator) -> list[Items]:
    """The drawings and MNIST; where the case says so MNIST is blind to what befell the drawings."""
    if not name.endswith(BLIND):
        return truth.sets(n, dice)
    return [*truth.sets(n, dice, base=0), SOUND.items("MNIST", Kind.BASE, 10_000, dice)]


def share_over_looks(looks: int, rounds: int) -> float:
    """How often one of several candidates that are no better would pass for better."""
    bounds, dice = Bounds(), np.random.default_rng(0)
    won = np.zeros(rounds, bool)
    for look in range(1, looks + 1):
        drawn = dice.multinomial(5_000, [0.005, 0.005, 0.99], size=rounds)[:, :2].tolist()
        passed = [Pairs(b, c, 5_000).p_better <= bounds.level_of(look) for b, c in drawn]
        won |= np.array(passed)
    return float(won.mean())


def coverage(rounds: int) -> list[tuple[int, float, float, float]]:
    found = []
    for n in (150, 500, 5_000):
        for better, worse in SHARES:
            dice = np.random.default_rng(n)
            drawn = dice.multinomial(n, [better, worse, 1 - better - worse], size=rounds * 5)
            pairs, counts = np.unique(drawn[:, :2], axis=0, return_counts=True)
            held = [Pairs(b, c, n).lower(0.95) <= better - worse + 1e-7 for b, c in pairs.tolist()]
            found.append((n, better, worse, round(float(counts @ held / counts.sum()), 4)))
    return found


if __name__ == "__main__":
    main()
