"""A trial as it stands: its counts, its evidence, and both in words and figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from django.db.models import Count, F, Q, Sum
from django.utils import dateformat, timezone

from labeling.models import Label
from predictions.shares import wilson
from training.models import Trial, TrialReading
from training.trials import guards
from training.trials.evidence import Verdict, Weighed, few_of, weigh
from training.trials.harm import Harm, Kind
from training.trials.sentences import Told, ending, number_of, sentences
from training.trials.tally import (
    LEFT_OUT,
    Difference,
    TrialTally,
    drawn_by,
    known_authors,
    shares_of_authors,
    tally_of,
)

OF_TRIAL = ["candidate", "against", "report"]  # rows that showing it needs
MOST_SHOWN = 100  # drawings in a report that were mended, and that were broken
NO_MNIST = (
    "What it forgot of MNIST is not known yet: the test set was not found. "
    "Run `manage.py fetch_mnist` on the host that trains."
)


@dataclass(frozen=True, slots=True)
class Summary:
    """What is known about a trial now."""

    trial: Trial
    tally: TrialTally
    weighed: Weighed
    error_rate: float  # of the live version; see `error_rate`
    obstacles: list[str]  # what keeps a candidate that is ahead from going live
    by_few: int  # drawings by the few people it is judged for

    @property
    def told(self) -> Told:
        trial, tally, weighed = self.trial, self.tally, self.weighed
        return Told(
            candidate=str(trial.candidate),
            against=str(trial.against),
            state=trial.state,
            drawings=tally.drawings,
            differ=tally.differ,
            better=weighed.better,
            worse=weighed.worse,
            neither=weighed.neither,
            waiting=len(tally.waiting),
            audits_waiting=tally.audits_waiting,
            presumed=len(tally.presumed),
            behind=tally.behind,
            left_out=tally.left_out.total(),
            people=weighed.people,
            by_few=self.by_few,
            drawings_to_go=weighed.drawings_to_go,
            answers_to_go=weighed.answers_to_go,
            obstacles=self.obstacles,
            reason=trial.reason,
        )


@dataclass(frozen=True, slots=True)
class Shown:
    """A trial as people see it."""

    trial: Trial
    told: Told
    figures: dict[str, Any]  # as reports keep them

    @property
    def sentences(self) -> list[str]:
        return sentences(self.told)

    @property
    def ending(self) -> str:
        return ending(self.told)


def summary_of(trial: Trial) -> Summary:
    """Count and weigh a trial."""
    tally, shares, rate = tally_of(trial), shares_of_authors(), error_rate(trial)
    weighed = weigh(
        [each.outcome for each in tally.counted],
        presumed=[each.outcome for each in tally.presumed],
        agreed_by_digit=tally.agreed_by_digit,
        drawings=tally.drawings,
        shares=shares,
        number=trial.number,
        error_rate=rate,
        pending=tally.undecided,
    )
    by_few = drawn_by(trial, few_of(shares)) if weighed.people else 0
    return Summary(trial, tally, weighed, rate, list(obstacles(trial, weighed)), by_few)


def shown(trial: Trial) -> Shown:
    """What pages, commands and the API show: as it is now, or as it was when it was decided."""
    figures = trial.report.figures if trial.report else trial.figures
    if figures is None:
        summary = summary_of(trial)
        return Shown(trial, summary.told, figures_of(summary, summary.told))
    since = trial.candidate.live_since if trial.candidate.is_live else None
    live_since = dateformat.format(timezone.localtime(since), "M j, Y, g:i A") if since else ""
    told = replace(
        Told(**figures["told"]), state=trial.state, reason=trial.reason, live_since=live_since
    )
    return Shown(trial, told, figures)


def latest_shown(version_id: int | None) -> Shown | None:
    """The latest trial of a version; None if it was never on trial."""
    trial = Trial.objects.filter(candidate=version_id).select_related(*OF_TRIAL).first()
    return shown(trial) if trial else None


def error_rate(trial: Trial) -> float:
    """The least that the live version misreads: by its audits, or on MNIST, which is easier.

    A gain worth having is a share of it, so an estimate that is too high by chance would end a
    better candidate as no better. Too low a one only ends the others later.
    """
    rate = trial.base["wrong_before"] / trial.base["n"] if trial.base is not None else 0.0
    weight = 1.0 / F("prediction__audit_probability")
    audits = Label.objects.audited().readable().exclude(state=Label.State.DISPUTED)
    found = audits.filter(
        prediction__version=trial.against_id, prediction__audit_probability__gt=0
    ).aggregate(
        n=Count("pk"),
        all=Sum(weight),
        squares=Sum(weight * weight),
        wrong=Sum(weight, filter=~Q(digit=F("prediction__digit")), default=0.0),
    )
    if found["n"] >= guards.LEAST_AUDITS:
        n = found["all"] ** 2 / found["squares"]
        rate = max(rate, wilson(found["wrong"] / found["all"] * n, n)[0])
    return float(rate)


def obstacles(trial: Trial, weighed: Weighed) -> Iterator[str]:
    """Why a candidate that is ahead may not go live yet."""
    for harm in weighed.holds:
        yield f"It is held: {harm_in_words(harm)}"
    if weighed.nobody_else:
        yield "Too few of these drawings are by anybody but one person."
    if weighed.verdict is Verdict.PROMOTE:
        if trial.base is None:
            yield NO_MNIST
        found = calibration_on_audits(trial)
        if found is not None and found["is_worse"]:
            yield f"On audits {guards.calibration_in_words(found)}."


def calibration_on_audits(trial: Trial) -> dict[str, Any] | None:
    """Both versions' calibration on the trial's labeled audits; None while they are few."""
    rows = list(
        TrialReading.objects.filter(
            trial=trial,
            prediction__is_audit=True,
            prediction__audit_probability__gt=0,
            prediction__erased_at__isnull=True,
            prediction__label__digit__isnull=False,
        )
        .exclude(prediction__label__state=Label.State.DISPUTED)
        .values_list(
            "live_confidence", "live_digit", "candidate_confidence", "candidate_digit",
            "prediction__label__digit", "prediction__audit_probability",
        )
    )  # fmt: skip
    if len(rows) < guards.LEAST_AUDITS:
        return None
    before, was, after, now, truth, chance = np.array(rows, np.float32).T
    return guards.calibration(before, was == truth, after, now == truth, 1 / chance)


# -- words and figures ----------------------------------------------------------------------------


def harm_in_words(harm: Harm) -> str:
    """What it reads worse, to follow a colon."""
    counts = f"it mended {harm.better} and broke {harm.worse}."
    if harm.kind is Kind.PERSON:
        return f"of one person's drawings {counts}"
    if harm.kind is Kind.OTHERS:
        return f"of other people's drawings {counts}"
    drawings = number_of(harm.drawings or 0, "drawing")
    if harm.kind is Kind.CELL:
        counts = f"it newly reads {harm.worse} as {harm.read_as}, and {harm.better} no longer."
    return f"of {drawings} of the digit {harm.digit} {counts}"


def no_better_in_words(weighed: Weighed) -> str:
    gain = f"{1_000 * weighed.worthwhile:.2g} of 1,000 drawings"
    return f"a gain worth having ({gain}) is ruled out."


def evidence_in_words(summary: Summary) -> list[str]:
    weighed, base = summary.weighed, summary.trial.base
    evidence, needed = f"{weighed.e_value:,.3g}", f"{weighed.needed:,.3g}"
    said = f"Evidence that it is better: {evidence}; {needed} was needed."
    return [said, f"It {guards.base_in_words(base)}."] if base else [said]


def figures_of(summary: Summary, told: Told) -> dict[str, Any]:
    """Everything a decision rests on, as its report keeps it."""
    tally, trial = summary.tally, summary.trial
    known = known_authors(trial.candidate, {each.author for each in tally.counted})
    return {
        "told": asdict(told),
        "weighed": summary.weighed.as_json(),
        "error_rate": summary.error_rate,
        "base": trial.base,
        "by_digit": counts_by_digit(tally),
        "left_out": {fate: tally.left_out[fate] for fate in LEFT_OUT},
        "people": {
            "known": counts_of_change(each for each in tally.counted if each.author in known),
            "unknown": counts_of_change(each for each in tally.counted if each.author not in known),
        },
        "changed": changed(tally),
        "unshown": sum(not each.is_labeled for each in [*tally.mended, *tally.broken]),
    }


def counts_by_digit(tally: TrialTally) -> list[dict[str, int]]:
    """Of each digit: drawings, mended and broken; agreed readings count as what was read."""
    mended, broken = (Counter(each.truth for each in some) for some in (tally.mended, tally.broken))
    answered = Counter(each.truth for each in tally.counted)
    return [
        {
            "drawings": tally.agreed_by_digit[digit] + answered[digit],
            "mended": mended[digit],
            "broken": broken[digit],
        }
        for digit in range(10)
    ]


def counts_of_change(some: Iterable[Difference]) -> dict[str, int]:
    counted = list(some)
    return {
        "mended": sum(each.is_mended for each in counted),
        "broken": sum(each.is_broken for each in counted),
    }


def changed(tally: TrialTally) -> dict[str, list[dict[str, Any]]]:
    """The drawings that went from wrong to right, and from right to wrong.

    Audits that only their author spoke of are not among them: who may label them later must not
    have seen what was read.
    """
    return {
        way: [each.as_json() for each in some if each.is_labeled][:MOST_SHOWN]
        for way, some in (("better", tally.mended), ("worse", tally.broken))
    }
