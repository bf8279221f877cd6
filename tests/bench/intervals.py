"""Do the 95% intervals tell the truth? Histories with known accuracy, told by its code.

First whole months: drawings of ten digits, each read right with a known chance, more often where
the model is sure; an audit at a known rate, some of it unreadable, some not labeled yet; and a
queue that labels the least sure. How often does the interval of the audit hold the month's true
accuracy, that of the difference the true difference (and how often is an equal pair called
different), and how often does the interval over all labeled drawings miss?

Then a table by number of labels and accuracy, for audits drawn by confidence and for a simple
sample of as many: how often the intervals hold the truth, and how wide they are. For a month, for
one digit of it, for the difference of two months, and for that of two versions on the same
drawings; with errors where the shipped model makes them, and spread over all confidences, as an
overconfident version makes them; with all audits labeled, and with 6 of 10.

At last people: few or many, some of whom drew more and are read worse (`people.py`), with the
intervals that count drawings beside those that count people.

Every estimate is made by the code the figures use.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from dashboard.axes import LABELS, UNLABELED, UNREADABLE, millionths
from dashboard.fields import Counts
from dashboard.figures.difference import ShareDifference, between_pairs, difference, sum_of_pairs
from dashboard.figures.figure import Share
from dashboard.figures.sample import Part, Sample, parts
from predictions.capture.audits import BANDS, band_probabilities
from tests.bench.support import people
from tests.bench.support.report import finish, table
from training.trials.pairs import Pairs

CHANCES = (0.02, 0.05, 0.2)
CLAIMED = (0.94, 0.985)  # what 95% intervals may cover
LEAST = 0.94  # what they cover at least, however few the labels
LUCK = 2.6  # standard errors by which a share of some histories may be below it

RATE = 0.05  # of drawings, audited
LABELED = (20, 50, 100, 300, 1_000, 2_000, 5_000)
ACCURACIES = (0.9, 0.95, 0.987, 0.997)
SHARES = np.array([share for share, _ in BANDS])
# Share of errors by band: of the shipped model on pen strokes; where confidence says little.
PROFILES = {"calibrated": (0.206, 0.019, 0.0009), "overconfident": (0.06, 0.03, 0.01)}
READABLE, OF_A_DIGIT = 0.98, 0.1
WANTED = 0.003  # half width, at ACCURACY
ACCURACY = 0.987
NOVEMBER = date(2026, 11, 1)


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
    width: float = 0.0  # sum of the half widths

    @property
    def share(self) -> float:
        return sum(self.held) / len(self.held)

    @property
    def half_width(self) -> float:
        return self.width / len(self.held)

    def note(self, found: Share | ShareDifference, truth: float) -> None:
        self.held.append(bool(found.low <= truth <= found.high))
        self.below += bool(found.high < truth)
        self.width += (found.high - found.low) / 2

    def as_json(self) -> dict[str, float]:
        found = binomtest(sum(self.held), len(self.held)).proportion_ci(0.95, "wilson")
        return {
            "n": len(self.held),
            "covered": round(self.share, 4),
            "from": round(found.low, 4),
            "to": round(found.high, 4),
            "too_low": self.below,
        }


# -- whole months, drawing by drawing -------------------------------------------------------------


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
        readable = dice.random(n) < READABLE
        is_audit = dice.random(n) < chance
        answered = dice.random(n) < dice.uniform(0.5, 1.0)
        shown = ~is_audit & (doubt > np.quantile(doubt, 0.9))
        for sample, of, chosen, told in (
            (audit, chance, is_audit, answered),
            (labeled, 0.0, shown | (is_audit & answered), np.ones(n, bool)),
        ):
            counts = counted(digits, right, readable, chosen, told)
            sample.add(millionths(of), parts(counts[np.newaxis])[0])
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
            found[name].note(known(each.audit), each.truth)
        for name, other in (("difference", two), ("equal months", same)):
            between = difference(known(one.audit), known(other.audit))
            found[name].note(between, other.truth - one.truth)
        found["all labeled"].note(known(one.labeled), one.truth)
    return found


def known(sample: Sample) -> Share:
    share = sample.share
    assert share is not None
    return share


# -- by number of labels and accuracy -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Design:
    """How audits are drawn and labeled, and where the errors are."""

    chances: Sequence[float]  # by band
    errors: NDArray[np.float64]  # by band
    answered: float = 1.0  # share of the audits that is labeled
    rate: float = RATE

    def months(
        self, dice: np.random.Generator, labeled: int, histories: int, part: float = READABLE
    ) -> Iterator[tuple[Sample, float]]:
        """Samples with about so many readable labels, and the truth; `part` of all count."""
        drawings, counts = self.counts(dice, labeled, histories, part)
        right = dice.binomial(counts[:, :, 2], 1 - self.errors)
        truths = 1 - drawings @ self.errors / drawings.sum(axis=1)
        samples = np.dstack([counts, right]).tolist()
        for each, truth in zip(samples, truths.tolist(), strict=True):
            sample = Sample()
            for chance, numbers in zip(self.chances, each, strict=True):
                sample.add(millionths(chance), Part(*numbers))
            yield sample, truth

    def versions(
        self, dice: np.random.Generator, labeled: int, histories: int
    ) -> Iterator[tuple[ShareDifference | None, float]]:
        """The difference of two versions on the same drawings, and the truth."""
        drawings, counts = self.counts(dice, labeled, histories, READABLE)
        n = counts[:, :, 2]
        better = dice.binomial(n, MENDED * self.errors)
        worse = dice.binomial(n - better, BROKEN * self.errors / (1 - MENDED * self.errors))
        truths = (MENDED - BROKEN) * (drawings @ self.errors) / drawings.sum(axis=1)
        places = [(NOVEMBER, millionths(chance)) for chance in self.chances]
        histories_of = np.dstack([counts, better, worse]).tolist()
        for each, truth in zip(histories_of, truths.tolist(), strict=True):
            pairs = dict.fromkeys(places, Pairs(0, 0, 0))
            of = dict.fromkeys(places, (0, 0))
            for place, (audits, told, both, up, down) in zip(places, each, strict=True):
                pairs[place] = sum_of_pairs([pairs[place], Pairs(up, down, both)])
                of[place] = of[place][0] + audits, of[place][1] + told
            some = {place: each for place, each in pairs.items() if each.n}
            yield between_pairs(some, of) if some else None, truth

    def counts(
        self, dice: np.random.Generator, labeled: int, histories: int, part: float
    ) -> tuple[Counts, Counts]:
        """Drawings that count, by history and band; of them audits, labels, labels that count."""
        drawings = round(labeled / self.rate / self.answered / READABLE)
        drawn = dice.multinomial(drawings, SHARES, size=histories)
        wanted = dice.binomial(drawn, part)
        both = np.stack([wanted, drawn - wanted])
        audits = dice.binomial(both, self.chances)
        told = dice.binomial(audits, self.answered)
        return wanted, np.dstack([audits.sum(axis=0), told.sum(axis=0), told[0]])


MENDED, BROKEN = 0.5, 0.15  # of the first version's errors; of as many drawings it read right


def errors_of(profile: Sequence[float], accuracy: float) -> NDArray[np.float64]:
    """The profile's errors, more or fewer in each band alike, but never more than 9 of 10."""
    low, high = 0.0, 1_000.0
    for _ in range(60):
        middle = (low + high) / 2
        errors = np.minimum(0.9, middle * np.array(profile))
        low, high = (low, middle) if SHARES @ errors > 1 - accuracy else (middle, high)
    return errors


@dataclass(slots=True)
class Place:
    """One line of the table: what is estimated, from how many labels, at which accuracy."""

    name: str
    profile: str
    accuracy: float
    labeled: int
    by_confidence: Coverage = field(default_factory=Coverage)
    simple: Coverage = field(default_factory=Coverage)

    def as_json(self) -> dict[str, Any]:
        return {
            "of": self.name, "profile": self.profile, "accuracy": self.accuracy,
            "labels": self.labeled, "covered": round(self.by_confidence.share, 4),
            "half_width": round(self.by_confidence.half_width, 5),
            "simple_covered": round(self.simple.share, 4),
            "simple_half_width": round(self.simple.half_width, 5),
        }  # fmt: skip

    @property
    def row(self) -> list[Any]:
        here, there = self.by_confidence, self.simple
        return [
            self.name, self.profile, f"{self.accuracy:.1%}", self.labeled, f"{here.share:.1%}",
            f"±{100 * here.half_width:.2f}", f"{there.share:.1%}", f"±{100 * there.half_width:.2f}",
        ]  # fmt: skip


def grid(
    histories: int,
    seed: int = 0,
    *,
    labeled: Sequence[int] = LABELED,
    accuracies: Sequence[float] = ACCURACIES,
    profiles: Sequence[str] = tuple(PROFILES),
) -> list[Place]:
    dice = np.random.default_rng(seed)
    return [
        place
        for profile in profiles
        for accuracy in accuracies
        for n in labeled
        for place in measured(dice, profile, accuracy, n, histories)
    ]


def measured(
    dice: np.random.Generator, profile: str, accuracy: float, n: int, histories: int
) -> list[Place]:
    errors = errors_of(PROFILES[profile], accuracy)
    found = {
        name: Place(name, profile, accuracy, n)
        for name in ("month", "6 of 10 labeled", "one digit", "two months", "two versions")
    }
    for side, chances in (
        ("by_confidence", band_probabilities(RATE)),
        ("simple", [RATE] * len(BANDS)),
    ):
        design = Design(chances, errors)
        few = Design(chances, errors, answered=0.6)
        better = Design(chances, errors * 0.8)
        coverage = {name: getattr(place, side) for name, place in found.items()}
        for name, samples in (
            ("month", design.months(dice, n, histories)),
            ("6 of 10 labeled", few.months(dice, n, histories)),
            ("one digit", design.months(dice, n, histories, OF_A_DIGIT)),
        ):
            for sample, truth in samples:
                if sample.n:
                    coverage[name].note(known(sample), truth)
        two = (side.months(dice, n, histories) for side in (design, better))
        for (one, before), (other, after) in zip(*two, strict=True):
            if one.n and other.n:
                between = difference(known(one), known(other))
                coverage["two months"].note(between, after - before)
        for between_versions, truth in design.versions(dice, n, histories):
            if between_versions is not None:
                coverage["two versions"].note(between_versions, truth)
    return list(found.values())


def labels_for(places: Sequence[Place], profile: str, side: str) -> int:
    """The labels at which the mean half width of a month is WANTED, from the nearest measured."""
    told = [
        (place.labeled, getattr(place, side).half_width)
        for place in places
        if (place.name, place.profile, place.accuracy) == ("month", profile, ACCURACY)
    ]
    n, width = min(told, key=lambda each: abs(math.log(each[1] / WANTED)))
    return round(n * (width / WANTED) ** 2)


# -- the bench ------------------------------------------------------------------------------------


def verdict(
    found: dict[str, Coverage], places: Sequence[Place], of_people: Sequence[dict[str, Any]]
) -> list[str]:
    """What is not as promised; empty when all is."""
    low, high = CLAIMED
    wrong = [
        f"{name}: {coverage.share:.1%}"
        for name, coverage in found.items()
        if name != "all labeled" and not low <= coverage.share <= high
    ]
    if found["all labeled"].share > 0.5:
        wrong.append("the biased figure is not shown to miss")
    return (
        wrong
        + [
            f"{' '.join(map(str, place.row[:4]))}: {place.by_confidence.share:.1%}"
            for place in places
            if is_below(place.by_confidence.share, len(place.by_confidence.held))
        ]
        + [
            f"{each['claim']}, {each['crowd']}, {each['spread']}, {each['accuracy']:.1%},"
            f" {each['labels']}: {each['covered']:.1%}"
            for each in of_people
            if not each["claim"].endswith(people.AS_DRAWINGS)
            and is_below(each["covered"], each["histories"])
        ]
    )


def is_below(share: float, histories: int) -> bool:
    """Whether intervals that cover LEAST would hardly ever cover so few of so many histories."""
    return share < LEAST - LUCK * math.sqrt(LEAST * (1 - LEAST) / histories)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = measure(options.histories, options.seed)
    figures = {name: coverage.as_json() for name, coverage in found.items()}
    rows = [["interval of", "histories", "holds the truth", "95% of that", "lies below"]]
    for name, each in figures.items():
        span = f"{each['from']:.1%} to {each['to']:.1%}"
        rows.append([name, each["n"], f"{each['covered']:.1%}", span, each["too_low"]])
    table(rows)
    places = grid(options.histories, options.seed)
    print()
    table([
        ["interval of", "errors", "accuracy", "labels", "holds", "points", "simple", "points"],
        *(place.row for place in places),
    ])  # fmt: skip
    needed = {
        profile: {side: labels_for(places, profile, side) for side in ("by_confidence", "simple")}
        for profile in PROFILES
    }  # fmt: skip
    for profile, each in needed.items():
        print(
            f"±{100 * WANTED:.1f} points at {ACCURACY:.1%}, {profile}: {each['by_confidence']:,}"
            f" audits instead of {each['simple']:,}."
        )
    of_people = people.coverage(
        lambda accuracy: errors_of(PROFILES["calibrated"], accuracy),
        options.histories,
        options.seed,
    )
    print()
    table([list(of_people[0]), *(list(each.values()) for each in of_people)])
    wrong = verdict(found, places, of_people)
    print("As promised." if not wrong else "Not as promised: " + "; ".join(wrong))
    finish({
        "bench": "intervals", "coverage": figures, "table": [place.as_json() for place in places],
        "people": of_people, "labels_needed": needed, "wrong": wrong,
    })  # fmt: skip
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
