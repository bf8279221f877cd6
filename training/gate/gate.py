"""The gate: is a candidate better than the live version, and worse at nothing?

Both versions read the same items. There are two kinds of claim:

- *It is better.* McNemar's exact test over all human items. It is one-sided, because a worse
  candidate is never promoted. The report also shows the two-sided p: 20 better and 9 worse have
  p = .061, which is not enough. Each other candidate against the same live version is another look
  at the same items. Look k may use 6 / (π² k²) of the level; all looks together use it up.
- *It is not worse* over all, for each digit, on MNIST. Each claim must be shown, at 95 % and within
  a margin. All of them must hold, so their number needs no correction. Holm's correction applies
  where many tests could find harm by chance: before a candidate is *rejected* for one digit, one
  cell of the confusion matrix or one month.

A claim about one digit needs hundreds of drawings of it. Until there are so many, MNIST's thousand
images of the digit must show a loss below a point, and its drawings must not speak against it. More
drawings of such a digit are still asked for. The gain is shown by drawings alone.

What is neither shown nor refuted needs more labels, and the gate says how many. Items count as
independent: where one person made many of the drawings, every figure is less certain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from training.gate.checks import (
    Bounds,
    Check,
    State,
    check_base,
    check_calibration,
    check_cells,
    check_digits,
    check_gain,
    check_sets,
    unharmed,
)
from training.gate.comparison import Comparison, Items, Kind, compare, joined


class Verdict(StrEnum):
    PROMOTE = "promote"
    REJECT = "reject"
    MORE = "more"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict, its reasons (the deciding ones first), and the figures."""

    verdict: Verdict
    labels_needed: int | None
    reasons: list[str]
    figures: dict[str, Any]


def judge(sets: Sequence[Items], *, look: int, bounds: Bounds | None = None) -> Judgement:
    """Compare a candidate with the live version on the same items."""
    bounds = bounds or Bounds()
    human = [items for items in sets if items.kind is not Kind.BASE and len(items)]
    base = [items for items in sets if items.kind is Kind.BASE and len(items)]
    drawings = joined(human, "drawings", Kind.HOLDOUT)
    compared = {items.name: compare(items) for items in [*human, *base]}
    over_all = compare(drawings)
    kept = [unharmed(compared[items.name], bounds) for items in base]
    carried = frozenset.intersection(*kept) if kept else frozenset()
    checks = [
        check_gain(over_all.overall, bounds, look),
        check_digits(over_all, bounds, bounds.digit_margin, "drawings", elsewhere=carried),
        check_cells(over_all, bounds, "drawings", elsewhere=carried),
        check_calibration(drawings, over_all, bounds),
        check_sets([compared[items.name] for items in human], bounds),
        *base_checks(base, compared, bounds),
    ]
    checks.sort(key=lambda check: list(State).index(check.state))
    verdict, needed = concluded(checks, bounds)
    return Judgement(
        verdict,
        needed,
        [check.said for check in checks],
        {
            "look": look,
            "level": bounds.level_of(look),
            "bounds": {name: getattr(bounds, name) for name in Bounds.__slots__},
            "checks": [check.as_json() for check in checks],
            "wanted_by_digit": wanted_by_digit(checks),
            "drawings": over_all.as_json(),
            "sets": [
                {"kind": items.kind, **compared[items.name].as_json()} for items in [*human, *base]
            ],
        },
    )


def base_checks(
    base: Sequence[Items], compared: dict[str, Comparison], bounds: Bounds
) -> list[Check]:
    if not base:
        said = "MNIST's test set is not there, so nobody knows what was forgotten."
        return [Check("base", State.OPEN, said)]
    checks = []
    for items in base:
        found = compared[items.name]
        checks += [
            check_base(found.overall, bounds, items.name),
            # MNIST's test set cannot grow: what it does not refute counts as passed.
            settled(check_digits(found, bounds, bounds.base_digit_margin, items.name)),
            settled(check_cells(found, bounds, items.name)),
            settled(check_calibration(items, found, bounds)),
        ]
    return checks


def settled(check: Check) -> Check:
    if check.state is not State.OPEN:
        return check
    return Check(check.name, State.PASSED, check.said)


def concluded(checks: Sequence[Check], bounds: Bounds) -> tuple[Verdict, int | None]:
    states = {check.state for check in checks}
    if State.FAILED in states:
        return Verdict.REJECT, None
    if State.OPEN not in states:
        return Verdict.PROMOTE, None
    return Verdict.MORE, min(max(check.more for check in checks), bounds.most_labels) or None


def wanted_by_digit(checks: Sequence[Check]) -> list[int]:
    """How many more drawings of each digit the checks ask for; the queue gives them priority."""
    return [max(check.more_by_digit.get(digit, 0) for check in checks) for digit in range(10)]
