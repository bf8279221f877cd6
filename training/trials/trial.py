"""Trials: begin one, follow it, and act on what it shows.

Trials are followed every minute, and at the end of a run. A trial ends once: the update that ends
it looks at its row, so of two hosts that decide at once, one acts. Whoever ends a trial locks the
live version's row first, as promotions do.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.db import transaction

from labeling.queue import priorities
from labeling.queue.intake import enqueue_new
from predictions.database.clock import Moment
from predictions.models import ModelVersion, Prediction
from predictions.serving.network import UnsoundWeights
from predictions.serving.registry import unsoundness
from training.errors import AlreadyLive, NothingLive, Overtaken
from training.messages.outbox import tell_verdict
from training.models import GateReport, Run, Snapshot, Trial
from training.snapshots.lineage import ancestry
from training.trials import guards, shadow
from training.trials.evidence import Verdict
from training.trials.sentences import counted, sentences
from training.trials.summary import (
    Summary,
    evidence_in_words,
    figures_of,
    harm_in_words,
    no_better_in_words,
    summary_of,
)
from training.trials.tally import tally_of
from training.versions import promotion
from training.versions.promotion import live_version

logger = logging.getLogger(__name__)

LONGEST = 20.0  # seconds one pass reads, so that other jobs do not wait long; the next goes on
MOST_UNDER_WAY = 3
MOST_ASKED = 500  # drawings with priority at a time
PROMOTIONS_MEANWHILE = 3  # that the begin of a trial survives
State = Trial.State


# -- begin ----------------------------------------------------------------------------------------


def begin(version: ModelVersion, *, base: dict[str, Any] | None = None) -> Trial:
    """Put a version on trial against the live one, or return its trial that is under way.

    `base` is how both read MNIST, if that was measured before.
    """
    with transaction.atomic():
        live = held_live()
        if live.pk == version.pk:
            raise AlreadyLive(f"{version} is live: there is nothing to compare it with.")
        trials = Trial.objects.filter(against=live)
        trial = trials.under_way().filter(candidate=version).first()
        if trial is None:
            make_room(live, version)
            highest = trials.order_by("-number").values_list("number", flat=True).first()
            trial = Trial.objects.create(
                candidate=version,
                against=live,
                number=(highest or 0) + 1,
                after_prediction=newest_freeze(version, live),
            )
            logger.info("trial %s of model version %s began", trial.pk, version.pk)
        if base is not None and base["against"] == live.pk:
            trial.base = base
            trial.save(update_fields=["base"])
    return trial


def held_live() -> ModelVersion:
    """The live version, its row locked until the transaction ends."""
    for _ in range(PROMOTIONS_MEANWHILE):
        live = live_version()
        if live is None:
            raise NothingLive("No version is live that it could be compared with.")
        with contextlib.suppress(Overtaken):
            hold_live(live)
            return live
    raise Overtaken("Other versions go live one after the other.")


def hold_live(live: ModelVersion) -> None:
    """Lock the live version's row, which every promotion changes; raises if it is not live."""
    rows = ModelVersion.objects.live().select_for_update(no_key=True).filter(pk=live.pk)
    if not list(rows.values_list("pk")):
        raise Overtaken(f"{live} is no longer live.")


def make_room(live: ModelVersion, version: ModelVersion) -> None:
    """End the trial with the least evidence if too many are under way."""
    trials = Trial.objects.under_way().filter(against=live).order_by("pk")
    if len(trials) >= MOST_UNDER_WAY:
        weakest = min(trials, key=lambda trial: summary_of(trial).weighed.e_value)
        reason = f"{version} is newer, and at most {MOST_UNDER_WAY} are on trial at a time."
        end_trial(weakest, State.OVERTAKEN, reason)


def newest_freeze(*versions: ModelVersion) -> int:
    """The newest prediction when either version's lineage last chose its labels."""
    lineage = {step.pk for version in versions for step in ancestry(version)}
    snapshot = Snapshot.objects.filter(runs__version__in=lineage).order_by("-pk").first()
    if snapshot is None:
        return 0
    if snapshot.last_prediction is not None:
        return snapshot.last_prediction
    before = Prediction.objects.filter(created_at__lte=snapshot.created_at)  # an older release
    return before.order_by("-pk").values_list("pk", flat=True).first() or 0


def begin_next(live: ModelVersion) -> None:
    """After a change of the live version, try the newest candidate that was made after it."""
    made = ModelVersion.objects.filter(state=ModelVersion.State.CANDIDATE, pk__gt=live.pk)
    newest = made.filter(run__state=Run.State.DONE).order_by("-pk").first()
    if newest is not None and not newest.trials.filter(against=live).exists():
        with contextlib.suppress(AlreadyLive, Overtaken, NothingLive):  # by the next pass, then
            begin(newest)


def current_trial(version: ModelVersion) -> Trial | None:
    """Its trial against the live version, or the one by which it went live; None without."""
    trials = version.trials.exclude(state=State.OVERTAKEN).select_related("candidate", "against")
    latest = trials.first()
    if latest is None:
        return None
    is_how_it_went_live = latest.state == State.PROMOTED and version.is_live
    return latest if latest.against.is_live or is_how_it_went_live else None


def judge(version: ModelVersion) -> Trial:
    """Follow a version's trial now, and begin one if it has none; returns the trial."""
    trial = current_trial(version) or begin(version)
    follow()
    return Trial.objects.select_related("candidate", "against", "report").get(pk=trial.pk)


# -- follow ---------------------------------------------------------------------------------------


def follow(*, seconds: float = LONGEST) -> dict[str, str]:
    """Read new drawings, weigh every trial and act; returns the state of each, by candidate."""
    until = time.monotonic() + seconds
    enqueue_new()
    live = live_version()
    if live is not None:
        begin_next(live)
    trials = list(Trial.objects.under_way().select_related("candidate", "against").order_by("pk"))
    waiting = {trial.pk: follow_one(trial, until) for trial in trials}
    left = Trial.objects.under_way().filter(pk__in=waiting)  # a promotion ends the others
    ask_people(key for trial in left for key in waiting[trial.pk])
    return {str(trial.candidate): trial.state for trial in trials}


def follow_one(trial: Trial, until: float) -> list[int]:
    """Read, weigh and decide one trial; returns the drawings that wait for an answer."""
    summary = None
    try:
        read_new(trial, until)
        summary = summary_of(trial)
        act_on(summary)
    except UnsoundWeights as fault:
        if unsoundness(trial.candidate):
            conclude(summary_of(trial), State.HARM, str(fault))
        else:  # the live version's: `watch_serving` rolls it back
            logger.error("trial %s cannot go on: %s", trial.pk, fault)
    except (Overtaken, AlreadyLive) as late:
        logger.info("trial %s: %s", trial.pk, late)
    trial.refresh_from_db()
    return (summary.tally if summary else tally_of(trial)).waiting


def read_new(trial: Trial, until: float) -> None:
    """Let both versions read MNIST once, and every new drawing."""
    networks = shadow.Networks(trial.candidate_id, trial.against_id)
    if trial.base is None:
        base = guards.measure(networks)
        if base is not None:
            Trial.objects.under_way().filter(pk=trial.pk).update(base=base)
    shadow.read_unread(trial, networks, until=until)
    trial.refresh_from_db(fields=["base", "state"])


def act_on(summary: Summary) -> None:
    """End the trial if its drawings, or MNIST, decide it."""
    store_sentence(summary)
    trial, weighed = summary.trial, summary.weighed
    refusals = guards.refusals(trial.base) if trial.base else []
    if refusals:
        conclude(summary, State.HARM, " ".join(refusals))
    elif weighed.verdict is Verdict.HARM:
        conclude(summary, State.HARM, " ".join(map(harm_in_words, weighed.holds)))
    elif weighed.verdict is Verdict.NO_BETTER:
        conclude(summary, State.NO_BETTER, no_better_in_words(weighed))
    elif weighed.verdict is Verdict.PROMOTE and not summary.obstacles:
        is_new = trial.candidate.state == ModelVersion.State.CANDIDATE
        by_itself = settings.AUTO_PROMOTE and is_new  # what was taken back needs a person
        conclude(summary, State.PROMOTED if by_itself else State.WON)


def store_sentence(summary: Summary) -> None:
    """Store what the draw page says of a trial, which counts nothing itself."""
    trial, said = summary.trial, counted(summary.told)
    if trial.said != said:
        Trial.objects.filter(pk=trial.pk).update(said=said)


@transaction.atomic
def conclude(summary: Summary, state: str, reason: str = "") -> GateReport:
    """End a trial with a report, and promote or reject the candidate, all or nothing."""
    trial = summary.trial
    hold_live(trial.against)
    told = replace(summary.told, state=state, reason=reason, obstacles=[])
    said = sentences(told)
    is_won = state in {State.PROMOTED, State.WON}
    report = GateReport.objects.create(
        candidate=trial.candidate,
        against=trial.against,
        verdict=GateReport.Verdict.PROMOTE if is_won else GateReport.Verdict.REJECT,
        reasons=[*said, *evidence_in_words(summary)],
        figures=figures_of(summary, told),
        look=trial.number,
    )
    if not end_trial(trial, state, reason, report=report):
        raise Overtaken("Another host ended this trial at the same moment.")
    if not is_won:
        made = ModelVersion.objects.filter(pk=trial.candidate_id, live_since__isnull=True)
        made.filter(state=ModelVersion.State.CANDIDATE).update(state=ModelVersion.State.REJECTED)
    tell_verdict(report, " ".join(said))
    if state == State.PROMOTED:
        promotion.promote(trial.candidate, by=None, report=report, over=trial.against)
    return report


def end_trial(trial: Trial, state: str, reason: str, *, report: GateReport | None = None) -> bool:
    """End a trial that is under way; False if it has ended already."""
    ended = Trial.objects.under_way().filter(pk=trial.pk)
    done = ended.update(state=state, reason=reason, report=report, ended_at=Moment())
    logger.info("trial %s ended %s", trial.pk, state if done else "before")
    return bool(done)


def waits_for_mnist() -> bool:
    """Whether a trial lacks how both read MNIST, because its files are not on this host."""
    return Trial.objects.under_way().filter(base__isnull=True).exists()


def ask_people(waiting: Iterable[int]) -> int:
    """Give priority to drawings that wait for an answer, oldest first; how many are open."""
    return priorities.want(sorted(set(waiting))[:MOST_ASKED])
