"""Do the 95 % intervals tell the truth? Histories with known accuracy, told by its code.

Each history has two months: drawings of ten digits, each read right with a known chance, more often
where the model is sure; an audit at a known rate, some of it unreadable, some not labeled yet; and
a queue that labels the least sure. Every estimate is made by the code the figures use, so what is
measured is what people see: how often the interval of the audit holds the month's true accuracy,
how often the interval of the difference holds the true difference (and how often an equal pair is
called different), and how often the interval over all labeled drawings misses.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import binomtest

from dashboard.axes import LABELS, UNLABELED, UNREADABLE
from dashboard.fields import Counts
from dashboard.figures.difference import difference
from dashboard.figures.sample import Sample, parts
from tests.bench.report import finish, table

CHANCES = (0.02, 0.05, 0.2)
CLAIMED = (0.93, 0.97)  # what 95 % intervals may cover


@dataclass(frozen=True, slots=True)
class Month:
    """What the dashboard says of one month, and the truth it does not know."""

    truth: float
    audit: Sample
    labeled: Sample  # everything the queue showed


@dataclass(slots=True)
class Coverage:
    """How often an interval held what it should."""

    held: list[bool] = field(default_factory=list)
    below: int = 0  # the interval lay under the truth

    @property
    def share(self) -> float:
        return sum(self.held) / len(self.held)

    def note(self, low: float, truth: float, high: float) -> None:
        self.held.append(bool(low <= truth <= high))
        self.below += bool(high < truth)

    def as_json(self) -> dict[str, float]:
        found = binomtest(sum(self.held), len(self.held)).proportion_ci(0.95, "wilson")
        return {
            "n": len(self.held),
            "covered": round(self.share, 4),
            "from": round(found.low, 4),
            "to": round(found.high, 4),
            "too_low": self.below,
        }


def month(dice: np.random.Generator, *accuracies: float) -> Month:
    """Drawings as they come. Where the model changes within it, the audit's rate does too."""
    audit, labeled = Sample(), Sample()
    truth: list[float] = []
    chances = dice.choice(CHANCES, len(accuracies), replace=False)
    for accuracy, chance in zip(accuracies, chances, strict=True):
        n = int(dice.integers(2_000, 12_000))
        digits = dice.integers(0, 10, n)
        # Sure readings are right more often; the mean is the accuracy of this part of the month.
        doubt = dice.beta(0.3, 3.0, n)
        right_chance = 1 - (1 - accuracy) * doubt / doubt.mean()
        right = dice.random(n) < right_chance
        truth += right_chance.clip(0, 1).tolist()
        readable = dice.random(n) < 0.98
        is_audit = dice.random(n) < chance
        answered = dice.random(n) < dice.uniform(0.5, 1.0)
        shown = ~is_audit & (doubt > np.quantile(doubt, 0.9))
        for sample, chosen, told in (
            (audit, is_audit, answered),
            (labeled, shown | (is_audit & answered), np.ones(n, bool)),
        ):
            counts = counted(digits, right, readable, chosen, told)
            sample.add(round(chance * 1e6), parts(counts[np.newaxis])[0])
    return Month(float(np.mean(truth)), audit, labeled)


def counted(
    digits: Counts, right: Counts, readable: Counts, chosen: Counts, told: Counts
) -> Counts:
    """(label, [drawings, right, settled]), as the sums hold it."""
    labels = np.where(~told, UNLABELED, np.where(readable, digits, UNREADABLE))[chosen]
    counts = np.zeros((LABELS, 3), np.int64)
    np.add.at(counts[:, 0], labels, 1)
    np.add.at(counts[:, 1], labels[right[chosen] & (labels < UNREADABLE)], 1)
    counts[:UNLABELED, 2] = counts[:UNLABELED, 0]
    return counts


def measure(histories: int, seed: int = 0) -> dict[str, Coverage]:
    dice = np.random.default_rng(seed)
    found = {
        name: Coverage()
        for name in ("audit", "audit, rate changed", "difference", "equal months", "all labeled")
    }
    for _ in range(histories):
        before, after = dice.uniform(0.85, 0.99, 2)
        one, two, same = month(dice, before), month(dice, after), month(dice, before)
        mixed = month(dice, before, after)
        for name, each in (("audit", one), ("audit, rate changed", mixed)):
            share = each.audit.share
            assert share is not None
            found[name].note(share.low, each.truth, share.high)
        for name, other in (("difference", two), ("equal months", same)):
            assert one.audit.share is not None
            assert other.audit.share is not None
            between = difference(one.audit.share, other.audit.share)
            found[name].note(between.low, other.truth - one.truth, between.high)
        biased = one.labeled.share
        assert biased is not None
        found["all labeled"].note(biased.low, one.truth, biased.high)
    return found


def verdict(found: dict[str, Coverage]) -> list[str]:
    """What is not as promised; empty when all is."""
    low, high = CLAIMED
    wrong = [
        f"{name}: {coverage.share:.1%}"
        for name, coverage in found.items()
        if name != "all labeled" and not low <= coverage.share <= high
    ]
    if found["all labeled"].share > 0.5:
        wrong.append("the biased figure is not shown to miss")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = measure(options.histories, options.seed)
    figures = {name: coverage.as_json() for name, coverage in found.items()}
    rows = [["interval of", "histories", "holds the truth", "95 % of that", "lies below"]]
    for name, each in figures.items():
        span = f"{each['from']:.1%} to {each['to']:.1%}"
        rows.append([name, each["n"], f"{each['covered']:.1%}", span, each["too_low"]])
    table(rows)
    wrong = verdict(found)
    print("As promised." if not wrong else "Not as promised: " + "; ".join(wrong))
    finish({"bench": "intervals", "coverage": figures, "wrong": wrong})
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
