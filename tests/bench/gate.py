"""How often a trial errs and how soon it ends: whole lives of live versions with a known truth."""

from __future__ import annotations

import argparse
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np

from tests.bench.support.report import finish, table
from tests.training.trials.histories import Answers, Course, Crowd, Drawings, Truth
from training.trials.evidence import Verdict, needed

LIFE = 10  # one after another against one live version
GAP = 3_000  # drawings from one candidate to the next
AT_ONCE = 3  # trials under way; a fourth sets the one with the least evidence aside
PROMPT = Answers()
SLOW = Answers(contradicted=0.3, audits=0.2, every=300)
VISITORS, HANDS = Crowd(400), Crowd(30, effect=0.5)
HALF, MILDLY = Crowd(41, heaviest=0.5, effect=1.0), Crowd(41, heaviest=0.5, effect=0.3)

# (a) two equal versions
IN_ORDER = "visitors contradict 30 % first, audits wait"
OUT_OF_ORDER = "the same, counted as answered (not the rule)"
EQUAL: dict[str, tuple[Truth, Crowd, Answers]] = {
    "400 visitors, correlation .60": (Truth(correlation=0.6), VISITORS, PROMPT),
    "400 visitors, correlation .80": (Truth(), VISITORS, PROMPT),
    "400 visitors, correlation .95": (Truth(correlation=0.95), VISITORS, PROMPT),
    "30 hands who differ, 20 in a row": (Truth(), Crowd(30, effect=1.0), PROMPT),
    "30 hands who differ much, 200 in a row": (Truth(), Crowd(30, None, 200, 2.0), PROMPT),
    "harm befalls one hand in five": (Truth(), Crowd(30, None, 200, 0.5, True), PROMPT),
    "one person draws half": (Truth(correlation=0.6), HALF, PROMPT),
    "7 people who differ": (Truth(correlation=0.6), Crowd(7, effect=1.0), PROMPT),
    "4 people who differ, one draws half": (
        *(Truth(correlation=0.6), Crowd(4, 0.5, 100, 1.0)),
        PROMPT,
    ),
    "2 people who differ much": (Truth(correlation=0.6), Crowd(2, None, 100, 2.0), PROMPT),
    "one person": (Truth(correlation=0.6), Crowd(1), PROMPT),
    IN_ORDER: (Truth(correlation=0.6), VISITORS, SLOW),
    "5 % slips": (Truth(correlation=0.6), VISITORS, Answers(slips=0.05)),
    "a truly worse version, 98.8 to 98.6 %": (
        *(Truth(candidate=0.014, correlation=0.6), HALF),
        PROMPT,
    ),
}

# (b) truly better ones
BETTER: dict[str, tuple[Truth, Crowd]] = {
    "98.8 to 99.2 %, 400 visitors": (Truth(0.012, 0.008, 0.6), VISITORS),
    "98.8 to 99.2 %, versions less alike": (Truth(0.012, 0.008, 0.4), VISITORS),
    "98.8 to 99.2 %, 30 hands": (Truth(0.012, 0.008, 0.6), HANDS),
    "98.8 to 99.2 %, one draws half": (Truth(0.012, 0.008, 0.6), MILDLY),
    "98.8 to 99.2 %, one person": (Truth(0.012, 0.008, 0.6), Crowd(1)),
    "98.8 to 99.2 %, fifth candidate": (Truth(0.012, 0.008, 0.6), VISITORS),
    "99.2 to 99.4 %, 400 visitors": (Truth(0.008, 0.006, 0.6), VISITORS),
    "99.2 to 99.4 %, 30 hands": (Truth(0.008, 0.006, 0.6), HANDS),
    "99.5 to 99.65 %, 400 visitors": (Truth(0.005, 0.0035, 0.6), VISITORS),
    "99.5 to 99.65 %, 30 hands": (Truth(0.005, 0.0035, 0.6), HANDS),
    "96.2 to 98.4 %, 300 visitors": (Truth(0.038, 0.016, 0.55), Crowd(300)),
    "a tenth of the errors less": (Truth(0.012, 0.0108, 0.6), VISITORS),
    "equal": (Truth(correlation=0.6), VISITORS),
    "equal, and much alike": (Truth(correlation=0.95), VISITORS),
    "worse by a tenth of the errors": (Truth(0.012, 0.0132, 0.6), VISITORS),
}

# (c) harmful ones. Without them the candidate mends two thirds of the live version's errors.
MENDS = Truth(0.012, 0.004, 0.55)
HARMFUL: dict[str, tuple[Truth, Answers]] = (
    {
        f"{share:.0%} of the sevens read as ones": (
            Truth(0.012, 0.004, 0.55, {(7, 1): share}),
            PROMPT,
        )
        for share in (1.0, 0.3, 0.1, 0.05, 0.03, 0.01)
    }
    | {
        "5 % of the sevens scattered": (
            Truth(
                0.012, 0.004, 0.55, {(7, wrong): 0.05 / 9 for wrong in (0, 1, 2, 3, 4, 5, 6, 8, 9)}
            ),
            PROMPT,
        ),
        "10 % of the sevens read as ones, 5 % slips": (
            Truth(0.012, 0.004, 0.55, {(7, 1): 0.1}),
            Answers(slips=0.05),
        ),
    }
    | {
        f"taught by a hand that gives {share:.0%} of the answers": (
            Truth(0.012, 0.012, 0.8, {(7, 1): 0.1}),
            Answers(accomplices=share),
        )
        for share in (0.1, 0.3, 0.5, 0.7)
    }
)

# (d) one look at so many drawings
MONOTONE = (500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000)
GROWING: dict[str, tuple[Truth, Crowd]] = {
    "68 better, 5 worse of 1,000": (Truth(0.075, 0.012, 0.21), VISITORS),
    "98.8 to 99.2 %, 400 visitors": (Truth(0.012, 0.008, 0.6), VISITORS),
    "98.8 to 99.2 %, 30 hands": (Truth(0.012, 0.008, 0.6), HANDS),
    "99.5 to 99.65 %, 400 visitors": (Truth(0.005, 0.0035, 0.6), VISITORS),
    "98.8 to 99.2 %, one person": (Truth(0.012, 0.008, 0.6), Crowd(1)),
}

# (e) few people. The candidate mends 17 of their drawings for each that it breaks.
ODD_HAND = Truth(0.22, 0.04, 0.25)
FAMILIES: dict[str, tuple[Truth, Crowd]] = {
    f"{people} {'person' if people == 1 else 'people'}, 17 to 1": (
        ODD_HAND,
        Crowd(people, None, 10, 0.3),
    )
    for people in range(1, 8)
} | {"30 hands, 11 to 1": (Truth(0.038, 0.016, 0.55), HANDS)}


# -- one history ---------------------------------------------------------------------------------


class OnTrial:
    """One candidate on trial, and how far it was looked at."""

    def __init__(self, trial: Course, number: int) -> None:
        self.trial, self.number = trial, number
        self.logs = trial.log_e()
        self.seen = 0  # answers

    def evidence(self, drawings: int) -> float:
        answers = self.answers(drawings)
        return float(self.logs[answers - 1]) if answers else 0.0

    def answers(self, drawings: int) -> int:
        return int(np.searchsorted(self.trial.at, drawings, side="right"))

    def promoted_by(self, drawings: int) -> int | None:
        """The answer that promotes it, of those since it was last asked; None: none does."""
        until = self.answers(drawings)
        high = self.logs[self.seen : until] >= math.log(needed(self.number))
        for answer in (np.flatnonzero(high) + self.seen + 1).tolist():
            found = self.trial.weighed(answer, int(self.trial.at[answer - 1]), self.number)
            if found.verdict is Verdict.PROMOTE:
                return answer
        self.seen = until
        return None

    def verdict(self, drawings: int) -> Verdict:
        return self.trial.weighed(self.answers(drawings), drawings, self.number).verdict


def falls(case: tuple[Truth, Crowd, Answers], in_order: bool, seed: int) -> bool:
    """Whether in its life a live version is replaced by one of ten that are no better."""
    truth, crowd, answers = case
    dice = np.random.default_rng(seed)
    n = (LIFE + 2) * GAP
    stream = Drawings(n, truth, crowd, dice)
    under_way: list[OnTrial] = []
    for now in range(0, n + 1, GAP):
        if any(each.promoted_by(now - since(each)) for each in under_way):
            return True
        under_way = [each for each in under_way if each.verdict(now - since(each)) is Verdict.MORE]
        number = now // GAP + 1
        if number <= LIFE:
            if len(under_way) == AT_ONCE:
                under_way.remove(min(under_way, key=lambda each: each.evidence(now - since(each))))
            trial = stream.trial(answers, since=now, in_order=in_order)
            under_way.append(OnTrial(trial, number))
    return False


def since(candidate: OnTrial) -> int:
    return (candidate.number - 1) * GAP


def ending(
    truth: Truth, crowd: Crowd, answers: Answers, number: int, most: int, seed: int
) -> tuple[Verdict, int, int]:
    """How a trial ends within so many drawings: the verdict, the answers and the drawings."""
    stream = Drawings(most, truth, crowd, np.random.default_rng(seed))
    candidate = OnTrial(stream.trial(answers), number)
    drawings = 20
    while drawings < most:
        answer = candidate.promoted_by(drawings)
        if answer:
            return Verdict.PROMOTE, answer, int(candidate.trial.at[answer - 1])
        verdict = candidate.verdict(drawings)
        if verdict is not Verdict.MORE:
            return verdict, candidate.answers(drawings), drawings
        drawings = math.ceil(drawings * 1.1)
    return Verdict.MORE, candidate.answers(most), most


def at_one_look(truth: Truth, crowd: Crowd, seed: int) -> list[Verdict]:
    """What a growing trial says, looked at once for each number of drawings."""
    stream = Drawings(MONOTONE[-1], truth, crowd, np.random.default_rng(seed))
    candidate = OnTrial(stream.trial(PROMPT), 1)
    return [candidate.verdict(drawings) for drawings in MONOTONE]


# -- many ----------------------------------------------------------------------------------------


def share(hits: int, n: int) -> dict[str, float | int]:
    """A share with its standard error, as if half a hit more had been seen."""
    found = (hits + 0.5) / (n + 1)
    return {"share": hits / n, "se": round(math.sqrt(found * (1 - found) / n), 4), "n": n}


def in_words(found: dict[str, float | int]) -> str:
    return f"{found['share']:.1%} ± {found['se']:.1%}"


def equal_versions(pool: Any, lives: int) -> dict[str, Any]:
    figures = {}
    rows: list[Sequence[Any]] = [("two equal versions, ten candidates", "false promotion")]
    cases = {name: (case, True) for name, case in EQUAL.items()}
    cases[OUT_OF_ORDER] = (EQUAL[IN_ORDER], False)
    for name, (case, in_order) in cases.items():
        fell = pool.map(partial(falls, case, in_order), range(lives), chunksize=10)
        figures[name] = share(sum(fell), lives)
        rows.append((name, in_words(figures[name])))
    table(rows)
    return figures


def endings(
    pool: Any, title: str, cases: dict[str, tuple[Truth, Crowd, Answers]], most: int, histories: int
) -> dict[str, Any]:
    figures = {}
    rows: list[Sequence[Any]] = [
        (title, "promoted", "no better", "harm", "answers", "9 of 10", "drawings", "9 of 10")
    ]
    for name, case in cases.items():
        number = 5 if "fifth" in name else 1
        found = pool.map(partial(ending, *case, number, most), range(histories), chunksize=10)
        ended = Counter(verdict for verdict, *_ in found)
        shares = {str(each): share(ended[each], histories) for each in Verdict}
        spent = {}
        for at, what in ((1, "answers"), (2, "drawings")):
            values = [each[at] for each in found if each[0] is not Verdict.MORE]
            for of in (0.5, 0.9):
                spent[f"{what}_{of:.0%}"] = float(np.quantile(values, of)) if values else None
        figures[name] = {**shares, **spent}
        columns = (in_words(shares[each]) for each in ("promote", "no_better", "harm"))
        rows.append((name, *columns, *(f"{each:,.0f}" if each else "–" for each in spent.values())))
    print()
    table(rows)
    return figures


def growing(pool: Any, histories: int) -> dict[str, Any]:
    figures = {}
    rows: list[Sequence[Any]] = [
        ("promoted at one look at so many drawings", *(f"{n:,}" for n in MONOTONE))
    ]
    for name, case in GROWING.items():
        found = pool.map(partial(at_one_look, *case), range(histories), chunksize=10)
        shares = [
            share(sum(each[at] is Verdict.PROMOTE for each in found), histories)
            for at in range(len(MONOTONE))
        ]
        figures[name] = dict(zip(map(str, MONOTONE), shares, strict=True))
        rows.append((name, *(in_words(each) for each in shares)))
    print()
    table(rows)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--histories", type=int, default=150, help="made-up histories a case; twice as many lives"
    )
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--only", choices="abcde", help="one of the five tables")
    options = parser.parse_args()
    n, began = options.histories, time.perf_counter()
    figures: dict[str, Any] = {"bench": "gate", "histories": n}
    with get_context("fork").Pool(options.processes) as pool:
        tables: dict[str, Callable[[], dict[str, Any]]] = {
            "a": lambda: equal_versions(pool, 2 * n),
            "b": lambda: endings(pool, "truly better", prompt(BETTER), 160_000, n),
            "c": lambda: endings(pool, "harmful", visited(HARMFUL), 40_000, n),
            "d": lambda: growing(pool, n),
            "e": lambda: endings(pool, "few people", prompt(FAMILIES), 10_000, n),
        }
        for letter, measured in tables.items():
            if options.only in (None, letter):
                figures[letter] = measured()
    figures["seconds"] = round(time.perf_counter() - began)
    finish(figures)


def prompt(cases: dict[str, tuple[Truth, Crowd]]) -> dict[str, tuple[Truth, Crowd, Answers]]:
    return {name: (*case, PROMPT) for name, case in cases.items()}


def visited(cases: dict[str, tuple[Truth, Answers]]) -> dict[str, tuple[Truth, Crowd, Answers]]:
    return {name: (truth, VISITORS, answers) for name, (truth, answers) in cases.items()}


if __name__ == "__main__":
    main()
