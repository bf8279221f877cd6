"""Does the candidate read a digit worse, or take it for one other, or misread one of few people?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from training.trials.likelihood import capped, log_evidence
from training.trials.outcomes import Balance, Outcome, balances_by

MARGIN = 0.02  # of a digit's drawings may be lost
HOLDS = 3.0  # e-value of harm that holds a promotion
ENDED_FALSELY = 0.05  # chance that a candidate that harms nothing ever ends as harmful


class Kind(StrEnum):
    """Whom or what a candidate may harm."""

    DIGIT = "digit"
    CELL = "cell"  # a digit read as one other
    PERSON = "person"  # one of the few who draw here
    OTHERS = "others"  # all but these few


LOOKS = {Kind.DIGIT: 10, Kind.CELL: 90}  # what may end a trial, and among how many


@dataclass(frozen=True, slots=True)
class Harm:
    """Evidence that the candidate reads some of the drawings worse."""

    kind: Kind
    digit: int | None  # what people say it is
    read_as: int | None
    better: int  # of these drawings mended; of a cell: errors gone
    worse: int  # broken; of a cell: new errors
    drawings: int | None  # where the number is known
    evidence: float

    @property
    def ends_the_trial(self) -> bool:
        return self.kind in LOOKS and self.evidence >= LOOKS[self.kind] / ENDED_FALSELY


def harms(
    outcomes: Sequence[Outcome],
    agreed_by_digit: Sequence[int],
    few: Collection[str],
    by_author: Mapping[str, Balance],
) -> Iterator[Harm]:
    """Yield each harm that is strong enough to hold a promotion."""
    drawn = list(agreed_by_digit)
    for each in outcomes:
        drawn[each.truth] += 1
    balances = {**by_truth(outcomes), **by_misreading(outcomes)}
    for (digit, read_as), balance in sorted(balances.items()):
        if balance.lost <= MARGIN * drawn[digit]:
            continue
        if read_as == digit:
            yield from suspected(Kind.DIGIT, balance, digit=digit, drawings=drawn[digit])
        else:
            drawings = drawn[digit]
            yield from suspected(
                Kind.CELL, balance, digit=digit, read_as=read_as, drawings=drawings
            )
    for author in sorted(few):
        yield from suspected(Kind.PERSON, by_author.get(author, Balance()))
    if few:
        others = (each for author, each in by_author.items() if author not in few)
        yield from suspected(Kind.OTHERS, Balance.total(others))


def suspected(
    kind: Kind,
    balance: Balance,
    *,
    digit: int | None = None,
    read_as: int | None = None,
    drawings: int | None = None,
) -> Iterator[Harm]:
    evidence = capped(float(log_evidence(balance.worse, balance.better)))
    if evidence >= HOLDS:
        yield Harm(kind, digit, read_as, balance.better, balance.worse, drawings, evidence)


def by_truth(outcomes: Sequence[Outcome]) -> dict[tuple[int, int], Balance]:
    """Balances by digit, each under the cell of its right readings."""
    return balances_by(
        ((each.truth, each.truth) for each in outcomes if each.is_better),
        ((each.truth, each.truth) for each in outcomes if each.is_worse),
    )


def by_misreading(outcomes: Sequence[Outcome]) -> dict[tuple[int, int], Balance]:
    """Misreadings that went and that came, by truth and what was read."""
    return balances_by(
        ((each.truth, each.live) for each in outcomes if not each.is_worse),
        ((each.truth, each.candidate) for each in outcomes if not each.is_better),
    )
