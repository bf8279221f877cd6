"""Agreement between labelers, and the accuracy of each labeler on gold items.

Answers are coded 0 to 9, and 10 for unreadable. Intervals are bootstrapped over items. A sample of
items with replacement is a multinomial draw over the kinds of items, so one call draws all samples.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from django.contrib.auth.models import User
from django.db.models import Count, F, Q
from numpy.typing import NDArray

from labeling.models import Label, LabelEvent
from labeling.queue.gold import KNOWN_DIGIT
from predictions.shares import wilson

ANSWERS = 11
UNREADABLE = 10
RESAMPLES, SEED = 2_000, 0  # one seed, so that a page shows the same interval each time
LEVEL = 0.95
LEAST_ITEMS = 30  # of fewer, pages tell no kappa and no alpha


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95% interval and n; None where it is undefined."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    @property
    def in_words(self) -> str:
        """For pages. If all resampled values are equal, they tell no interval."""
        if self.n < LEAST_ITEMS:
            return f"{self.n} of {LEAST_ITEMS} needed"
        if self.value is None or self.low is None or self.high is None:
            return "not known: all answers are equal"
        if self.low == self.high:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} (95%: {self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its 95% Wilson interval; None where nothing was counted."""

    hits: int
    n: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class PairAgreement:
    one: str
    other: str
    kappa: Estimate


@dataclass(frozen=True, slots=True)
class LabelerAccuracy:
    labeler: str
    labels: int
    gold: Rate


@dataclass(frozen=True, slots=True)
class Agreement:
    alpha: Estimate
    pairs: list[PairAgreement]
    labelers: list[LabelerAccuracy]


# -- figures ------------------------------------------------------------------------------------


def cohen_kappa(one: Sequence[int], other: Sequence[int]) -> Estimate:
    """Cohen's kappa: agreement of two labelers on the same items, corrected for chance."""
    table = np.zeros((ANSWERS, ANSWERS), dtype=np.int64)
    np.add.at(table, (np.asarray(one, dtype=int), np.asarray(other, dtype=int)), 1)
    n = int(table.sum())
    if n == 0:
        return Estimate(None, None, None, 0)
    draws = np.random.default_rng(SEED).multinomial(n, table.ravel() / n, size=RESAMPLES)
    resampled = kappas(draws.reshape(RESAMPLES, ANSWERS, ANSWERS))
    return estimate(kappas(table[np.newaxis])[0], resampled, n)


def kappas(tables: NDArray[np.int64]) -> NDArray[np.float64]:
    """Kappa of each table of counts (…, 11, 11); NaN where all answers are equal."""
    n = tables.sum(axis=(1, 2)).astype(float)
    agreed = np.trace(tables, axis1=1, axis2=2) / n
    chance = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1) / n**2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(chance < 1, (agreed - chance) / (1 - chance), np.nan)


def krippendorff_alpha(counts: NDArray[np.int64]) -> Estimate:
    """Nominal alpha of any number of labelers; `counts` (N, K) is how often each answer was given.

    Items with fewer than two answers say nothing about agreement and are left out.
    """
    counts = counts[counts.sum(axis=1) >= 2]
    n = len(counts)
    if n == 0:
        return Estimate(None, None, None, 0)
    kinds, sizes = np.unique(counts, axis=0, return_counts=True)
    draws = np.random.default_rng(SEED).multinomial(n, sizes / n, size=RESAMPLES)
    return estimate(alphas(kinds, sizes[np.newaxis])[0], alphas(kinds, draws), n)


def alphas(kinds: NDArray[np.int64], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Alpha for each row of weights (B, P) of P kinds of items; NaN where all answers are equal."""
    answers = kinds.sum(axis=1)  # (P,) how many answered
    # Pairs of unequal answers within an item, over the answers that each could be paired with.
    unequal = (answers**2 - (kinds**2).sum(axis=1)) / (answers - 1)
    observed = weights @ unequal
    totals = weights @ kinds  # (B, K)
    n = totals.sum(axis=1).astype(float)
    expected = (n**2 - (totals**2).sum(axis=1)) / (n - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected > 0, 1 - observed / expected, np.nan)


def estimate(value: float, resampled: NDArray[np.float64], n: int) -> Estimate:
    defined = resampled[np.isfinite(resampled)]
    if not np.isfinite(value) or len(defined) == 0:
        return Estimate(None, None, None, n)
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(value), float(low), float(high), n)


def rate(hits: int, n: int) -> Rate:
    if n == 0:
        return Rate(0, 0, None, None, None)
    return Rate(hits, n, hits / n, *wilson(hits, n))


# -- data for the figures -----------------------------------------------------------------------


def between_labelers() -> Agreement:
    """Compute all figures from current opinions; gold and visitors do not count as agreement."""
    by_item = overlapping_opinions()
    names = dict(User.objects.values_list("pk", "username"))
    counts = np.zeros((len(by_item), ANSWERS), dtype=np.int64)
    for at, said in enumerate(by_item.values()):
        for answer in said.values():
            counts[at, answer] += 1
    return Agreement(
        krippendorff_alpha(counts),
        [
            PairAgreement(names[one], names[other], cohen_kappa(*zip(*both, strict=True)))
            for (one, other), both in answers_of_pairs(by_item.values()).items()
        ],
        accuracies(names),
    )


def overlapping_opinions() -> dict[int, dict[int, int]]:
    """Return the last answer of each labeler, for items that two or more labelers answered."""
    events = (
        LabelEvent.objects.opinions()
        .standing()
        .filter(labeler__isnull=False)
        .filter(prediction__in=Label.objects.filter(opinions__gte=2).values("pk"))
        .order_by("pk")
        .values_list("prediction_id", "labeler_id", "digit")
    )
    said: dict[int, dict[int, int]] = defaultdict(dict)
    for prediction_id, labeler_id, digit in events.iterator(10_000):
        said[prediction_id][labeler_id] = UNREADABLE if digit is None else digit
    return {key: answers for key, answers in said.items() if len(answers) >= 2}


def answers_of_pairs(
    items: Iterable[dict[int, int]],
) -> dict[tuple[int, int], list[tuple[int, int]]]:
    pairs: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for said in items:
        for one, other in itertools.combinations(sorted(said), 2):
            pairs[one, other].append((said[one], said[other]))
    return dict(sorted(pairs.items()))


def accuracies(names: dict[int, str]) -> list[LabelerAccuracy]:
    """Return the number of labels and the accuracy on gold of each labeler."""
    known = Q(is_gold=True, known_digit__isnull=False)
    right = known & Q(digit=F("known_digit"))
    rows = (
        LabelEvent.objects.filter(kind=LabelEvent.Kind.LABEL, labeler__isnull=False)
        .standing()
        .order_by()
        .annotate(known_digit=KNOWN_DIGIT)
        .values("labeler")
        .annotate(
            labels=Count("pk", filter=Q(is_gold=False)),
            known=Count("pk", filter=known),
            right=Count("pk", filter=right),
        )
    )
    return [
        LabelerAccuracy(names[row["labeler"]], row["labels"], rate(row["right"], row["known"]))
        for row in sorted(rows, key=lambda row: names[row["labeler"]])
    ]
