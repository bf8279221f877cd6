"""The gate's checks, one function each: passed, failed, or how many more labels it needs."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from training.gate.comparison import NORMAL, Comparison, Items, Pairs, calibration_error, holm, tail

RESAMPLES = 300  # of the items, for the uncertainty of the calibration
# What a useful candidate is assumed to change, as long as nothing was counted.
USUAL_BETTER, USUAL_WORSE = 0.008, 0.003  # shares of the items


@dataclass(frozen=True, slots=True)
class Bounds:
    """Every threshold of the gate; shares are of 1, so .02 is two points."""

    alpha: float = 0.05  # chance that a live version is ever replaced by one that is no better
    confidence: float = 0.95  # one-sided, for each claim that something is not worse
    power: float = 0.80  # chance that N more labels show a gain of the size counted so far
    digit_margin: float = 0.02  # a digit may lose this much, shown on drawings
    base_margin: float = 0.0025  # MNIST may lose this much
    base_digit_margin: float = 0.01  # and each of its digits this much
    set_margin: float = 0.005  # the holdout and each month of audits
    cell_margin: float = 0.02  # one digit read as one other, more often than before
    calibration_margin: float = 0.02  # expected calibration error
    worthwhile: float = 0.005  # smallest gain that is worth more labels
    most_labels: int = 20_000  # the most it asks for; a gain that needs more fails

    def level_of(self, look: int) -> float:
        """The part of alpha that this look may use; the parts of all looks add up to alpha."""
        return self.alpha * 6 / (math.pi * look) ** 2


class State(StrEnum):
    """How a check ended; in the order in which reasons are given."""

    FAILED = "failed"
    OPEN = "open"  # neither shown nor refuted
    PASSED = "passed"


@dataclass(frozen=True, slots=True)
class Check:
    """One question and how it ended, in words."""

    name: str
    state: State
    said: str
    more: int = 0  # drawings needed, if it is open
    more_by_digit: dict[int, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "state": self.state, "said": self.said, "more": self.more}


# -- the checks ----------------------------------------------------------------------------------


def check_gain(pairs: Pairs, bounds: Bounds, look: int) -> Check:
    """Check that the candidate is better over all human items, at the level of this look."""
    level = bounds.level_of(look)
    if not pairs.n:
        more = items_for_gain(USUAL_BETTER, USUAL_WORSE, level, bounds.power)
        said = f"No drawing that may judge has a label yet; it takes about {more:,}."
        return Check("gain", State.OPEN, said, more)
    said = (
        f"{pairs.in_words('drawings')}: p = {p_text(pairs.p)}, one-sided {p_text(pairs.p_better)}"
    )
    asked = f"look {look} asks for {p_text(level)}"

    def ended(state: State, why: str, more: int = 0) -> Check:
        return Check("gain", state, f"{said}; {why}.", more)

    if pairs.p_better <= level:
        return ended(State.PASSED, asked)
    if pairs.p_worse <= bounds.alpha:
        return ended(State.FAILED, "it is worse")
    if pairs.upper(bounds.confidence) < bounds.worthwhile:
        ruled_out = points(bounds.worthwhile)
        return ended(State.FAILED, f"{asked}, and a gain of {ruled_out} is ruled out")
    better, worse = expected_shares(pairs, bounds)
    more = items_for_gain(better, worse, bounds.level_of(look + 1), bounds.power) - pairs.n
    more = max(more, 1)
    if more > bounds.most_labels:
        return ended(State.FAILED, f"{asked}, and to show so small a gain takes {more:,} more")
    return ended(State.OPEN, f"{asked}; about {more:,} more would show it", more)


def expected_shares(pairs: Pairs, bounds: Bounds) -> tuple[float, float]:
    """The shares of better and worse items to plan with: those counted, or assumed ones."""
    if pairs.better > pairs.worse:
        return pairs.better / pairs.n, pairs.worse / pairs.n
    if not pairs.better + pairs.worse:
        return USUAL_BETTER, USUAL_WORSE
    worse = max(pairs.worse / pairs.n, USUAL_WORSE)
    return worse + bounds.worthwhile, worse


def unharmed(compared: Comparison, bounds: Bounds) -> frozenset[int]:
    """The digits for which MNIST's images show that no more than the margin is lost."""
    pairs = compared.by_digit
    limits = [each.lower(bounds.confidence) for each in pairs]
    return frozenset(d for d in range(10) if limits[d] > -bounds.base_digit_margin)


def check_digits(
    compared: Comparison,
    bounds: Bounds,
    margin: float,
    what: str,
    *,
    elsewhere: Collection[int] = (),
) -> Check:
    """Check that no digit loses more than the margin.

    For the digits in `elsewhere`, other images show it. That is enough while there are too few
    drawings to show it here, unless the drawings speak against it.
    """
    pairs = compared.by_digit
    kept = [each.lower(bounds.confidence) > -margin for each in pairs]
    harm = holm([each.p_worse for each in pairs])
    lost = [d for d in range(10) if not kept[d] and harm[d] <= 1 - bounds.confidence]
    name = f"digits of {what}"
    if lost:
        said = "; ".join(digit_in_words(d, pairs[d], harm[d], what) for d in lost)
        return Check(name, State.FAILED, f"{said}.")
    open_here = [d for d in range(10) if not kept[d]]
    wanted = {d: more_for_digit(pairs[d], margin, bounds) for d in open_here}
    carried = [d for d in open_here if d in elsewhere and is_carried(pairs[d], margin, bounds)]
    unsure = [d for d in open_here if d not in carried]
    if not unsure:
        said = f"On {what} no digit loses {points(margin)}: "
        said += shown_or_carried(compared, carried, bounds)
        return Check(name, State.PASSED, said, more_by_digit=wanted)
    n = max(compared.overall.n, 1)
    # Only a share of new drawings shows this digit; smoothed, so that no share is 0.
    more = max(math.ceil(wanted[d] * (n + 10) / (pairs[d].n + 1)) for d in unsure)
    said = f"On {what} not yet shown to lose less than {points(margin)}: "
    if len(unsure) == 10:
        fewest, most = min(each.n for each in pairs), max(each.n for each in pairs)
        said += f"any digit; there are {fewest} to {most} of each, about {least_of(margin, bounds)}"
        said += " are the least that can show it."
    else:
        said += ", ".join(f"{d} ({pairs[d].in_words('')})" for d in unsure) + "."
    return Check(name, State.OPEN, said, more, wanted)


def is_carried(pairs: Pairs, margin: float, bounds: Bounds) -> bool:
    """Whether there are too few drawings to show the claim, and they do not speak against it.

    One lost drawing is no evidence. Once there are enough to show the claim if none differs, none
    may be lost on balance.
    """
    lost = pairs.worse - pairs.better
    if pairs.n >= items_for_no_loss(USUAL_BETTER + USUAL_WORSE, margin, bounds):
        return False
    return lost <= (max(1, margin * pairs.n) if pairs.n < least_of(margin, bounds) else 0)


def shown_or_carried(compared: Comparison, carried: Sequence[int], bounds: Bounds) -> str:
    if not carried:
        return f"shown for each at {bounds.confidence:.0%}."
    counts = [compared.by_digit[d].n for d in carried]
    few = f"{min(counts)} to {max(counts)} drawings are too few to show it, MNIST's images do"
    if len(carried) == 10:
        return f"of each {few}."
    return f"shown for the others; of {', '.join(map(str, carried))} {few}."


def more_for_digit(pairs: Pairs, margin: float, bounds: Bounds) -> int:
    differing = (pairs.better + pairs.worse) / max(pairs.n, 1)
    return max(items_for_no_loss(differing, margin, bounds) - pairs.n, 1)


def digit_in_words(digit: int, pairs: Pairs, p: float, what: str) -> str:
    return (
        f"{digit} of {what} is read worse: {pairs.better} better, {pairs.worse} worse of "
        f"{pairs.n:,}, {points(-pairs.difference)} lost, p = {p_text(p)} for ten looks"
    )


def check_cells(
    compared: Comparison, bounds: Bounds, what: str, *, elsewhere: Collection[int] = ()
) -> Check:
    """Check that no digit is read as one other digit much more often than before.

    For a digit in `elsewhere`, which has few drawings, one drawing is no evidence.
    """
    new, old = compared.new_errors, compared.old_errors
    # A cell without changes cannot fail by chance, so it is not counted as a test.
    cells = [(t, r) for t in range(10) for r in range(10) if t != r and new[t, r] + old[t, r]]
    harm = holm([tail(int(new[c]), int(new[c] + old[c])) for c in cells])
    p_of = dict(zip(cells, harm, strict=True))
    name = f"confusions of {what}"

    def rise(cell: tuple[int, int]) -> float:
        return float(new[cell] - old[cell]) / compared.by_digit[cell[0]].n

    def is_high(cell: tuple[int, int]) -> bool:
        allowed = 1 if cell[0] in elsewhere else 0
        return rise(cell) > bounds.cell_margin and new[cell] - old[cell] > allowed

    high = sorted(filter(is_high, cells), key=lambda c: p_of[c])
    if not high:
        said = f"On {what} no digit is taken for one other {points(bounds.cell_margin)} more often."
        return Check(name, State.PASSED, said)
    true, read = worst = high[0]
    n = compared.by_digit[true].n
    said = (
        f"On {what} {true} is read as {read} more often: {new[worst]} new, {old[worst]} gone "
        f"of {n:,}, p = {p_text(p_of[worst])} for {len(cells)} looks."
    )
    if p_of[worst] <= 1 - bounds.confidence:
        return Check(name, State.FAILED, said)
    differing = float(new[worst] + old[worst]) / n
    wanted = max(items_for_no_loss(differing, bounds.cell_margin, bounds) - n, 1)
    more = math.ceil(wanted * compared.overall.n / n)
    return Check(name, State.OPEN, said, more, {true: wanted})


def check_base(pairs: Pairs, bounds: Bounds, name: str) -> Check:
    """Check that MNIST is still read as well as before."""
    low = pairs.lower(bounds.confidence)
    said = f"{name}: {pairs.in_words('images')}, at worst {points(-low)} lost"
    allowed = f"{points(bounds.base_margin)} allowed"
    if low > -bounds.base_margin:
        return Check(name, State.PASSED, f"{said}, {allowed}.")
    # No label can be added to MNIST, so this check is never open.
    return Check(name, State.FAILED, f"{said}, only {allowed}.")


def check_sets(compared: Sequence[Comparison], bounds: Bounds) -> Check:
    """Check that neither the holdout nor any month got worse, with Holm's correction.

    A past month gets no more audits, so this check is never open: it fails only on shown harm.
    """
    if not compared:
        return Check("sets", State.PASSED, "There are no drawings that could have become worse.")
    harm = holm([each.overall.p_worse for each in compared])
    for each, p in zip(compared, harm, strict=True):
        if p <= 1 - bounds.confidence and each.overall.difference < -bounds.set_margin:
            said = f"{each.name}: {each.overall.in_words('drawings')}, p = {p_text(p)}"
            return Check("sets", State.FAILED, f"{said} for {len(harm)} looks.")
    names = ", ".join(each.name for each in compared)
    return Check("sets", State.PASSED, f"None of them became worse: {names}.")


def check_calibration(items: Items, compared: Comparison, bounds: Bounds) -> Check:
    """Check that the calibration error did not grow by more than the margin."""
    before, after = compared.calibration
    name = f"calibration of {items.name}"
    said = f"On {items.name} confidence misses accuracy by {points(after)}, before {points(before)}"
    if after - before <= bounds.calibration_margin:
        return Check(name, State.PASSED, f"{said}.")
    if calibration_rise(items, 1 - bounds.confidence) > 0:
        return Check(name, State.FAILED, f"{said}: {points(bounds.calibration_margin)} allowed.")
    return Check(name, State.OPEN, f"{said}, which may be chance.", len(items))


def calibration_rise(items: Items, share: float) -> float:
    """This quantile of the rise in calibration error over resampled items, with a fixed seed."""
    n, dice = len(items), np.random.default_rng(len(items))
    rises = []
    for _ in range(RESAMPLES):
        drawn = np.bincount(dice.integers(0, n, n), minlength=n)
        before, after = (
            calibration_error(read, items.labels, drawn) for read in (items.live, items.candidate)
        )
        rises.append(after - before)
    return float(np.quantile(rises, share))


# -- how many more labels -----------------------------------------------------------------------


def power_of(n: int, better: float, worse: float, level: float) -> float:
    """The chance that n items show a gain, if these shares of them are better and worse."""
    # scipy costs a second and 90 MB, and web processes import this module without calling this.
    from scipy.stats import binom

    share = better + worse
    spread = 8 * math.sqrt(n * share) + 8
    tosses = np.arange(max(0, int(n * share - spread)), min(n, int(n * share + spread)) + 1)
    # The fewest heads of a fair coin whose p-value is within the level.
    fewest = binom.isf(level, tosses, 0.5) + 1
    return float(binom.pmf(tosses, n, share) @ binom.sf(fewest - 1, tosses, better / share))


def items_for_gain(
    better: float, worse: float, level: float, power: float, *, most: int = 1_000_000
) -> int:
    """How many items show a gain of this size with this power; at most `most`."""
    few, many = 1, 64
    while many < most and power_of(many, better, worse, level) < power:
        few, many = many, many * 2
    while many - few > max(1, many // 200):
        middle = (few + many) // 2
        if power_of(middle, better, worse, level) < power:
            few = middle
        else:
            many = middle
    return min(many, most)


def least_of(margin: float, bounds: Bounds) -> int:
    """How many items show that nothing is lost, if the versions differ on none."""
    return items_for_no_loss(0.0, margin, bounds)


def items_for_no_loss(differing: float, margin: float, bounds: Bounds) -> int:
    """How many items show that nothing is lost, if that is so and this share of them differs."""
    sure = NORMAL.inv_cdf(bounds.confidence)
    reach = (sure + NORMAL.inv_cdf(bounds.power)) ** 2
    return math.ceil(reach * differing / margin**2 + sure**2 * (1 - margin) / margin)


# -- words --------------------------------------------------------------------------------------


def p_text(p: float) -> str:
    """A p-value in words, without the leading zero: .061."""
    if p >= 0.9995:
        return "1"
    return f"{p:.3f}".removeprefix("0") if p >= 0.001 else f"{p:.1g}"


def points(share: float) -> str:
    """A share as percentage points."""
    number = f"{100 * share:.2f}".rstrip("0").rstrip(".")
    return f"{number} point" + ("" if number == "1" else "s")
