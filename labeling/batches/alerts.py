"""Labelers who are clearly below the others: found every night, shown to reviewers, with evidence.

An answer is wrong if two other people stand behind another digit. Two kinds of answers are
compared: those to gold items, and first answers, which the labeler gave before anybody else. All
labelers get these from the same queue. Second opinions are not compared: they are asked for on
drawings that are harder than others, and more often of some labelers than of others.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import TruncMonth
from django.utils.dateformat import format as formatted

from labeling.batches.review import said_about
from labeling.batches.supporters import histories
from labeling.decisions.below import (
    LEAST_PEOPLE,
    LEAST_WRONG,
    Evidence,
    MonthlyCounts,
    evidence_against,
)
from labeling.errors import Gone
from labeling.models import Label, LabelerAlert, LabelEvent, LabelEventQuerySet, Stream
from labeling.standing import Said, supporting_events
from predictions.database.clock import Moment

logger = logging.getLogger(__name__)
AGAINST = 2  # other people behind another digit make an answer wrong
KINDS = {"gold": True, "first": False}  # by LabelEvent.is_gold
FIRST = [Stream.AUDIT, Stream.FEEDBACK, Stream.UNSURE]  # where nobody has answered before
SHOWN = 100  # wrong answers on a page


@dataclass(slots=True)
class AnswerTally:
    """How many answers were wrong, and how many there were."""

    wrong: int = 0
    n: int = 0


Tallies = Mapping[tuple[int, bool, date], AnswerTally]  # by labeler, is_gold, and month


@dataclass(frozen=True, slots=True)
class LabelerComparison:
    """A labeler against the others, since the month from which the difference is clearest."""

    evidence: Evidence
    figures: dict[str, Any]
    others: int  # how many people

    @property
    def is_enough(self) -> bool:
        """Whether there is enough to name anybody, however strong the evidence."""
        wrong = sum(self.figures[kind]["wrong"] for kind in KINDS)
        return wrong >= LEAST_WRONG and self.others >= LEAST_PEOPLE


@dataclass(frozen=True, slots=True)
class WrongAnswer:
    """An answer that two or more people contradict, and what the others said."""

    event: LabelEvent
    others: list[LabelEvent]


# -- what is compared ----------------------------------------------------------------------------


def compared_answers() -> LabelEventQuerySet:
    """Answers to gold and first answers, where the label is settled and names a digit.

    Answers from before an alert that a reviewer has dealt with are left out.
    """
    dealt_with = LabelerAlert.objects.filter(
        labeler=OuterRef("labeler"), ended_by__isnull=False, ended_at__gte=OuterRef("created_at")
    )
    return (
        LabelEvent.objects.filter(kind=LabelEvent.Kind.LABEL, labeler__isnull=False)
        .filter(request_id__isnull=False, batch__isnull=True)  # from the queue, one by one
        .filter(
            Q(is_gold=False, stream__in=FIRST) | Q(is_gold=True, prediction__label__opinions__gte=2)
        )
        .filter(
            prediction__label__state=Label.State.SETTLED, prediction__label__digit__isnull=False
        )
        .filter(~Exists(dealt_with))
        .standing()
        .order_by()
    )


def contradicted(answers: LabelEventQuerySet) -> LabelEventQuerySet:
    settled = F("prediction__label__digit")
    return answers.filter(Q(is_unreadable=True) | Q(digit__lt=settled) | Q(digit__gt=settled))


def are_against(labeler: int, supporters: Iterable[Said]) -> bool:
    """Whether enough other people with a login support a label."""
    people = {event.labeler_id for event in supporters} - {labeler, None}
    return len(people) >= AGAINST


def tallies() -> dict[tuple[int, bool, date], AnswerTally]:
    """Count answers. Those that only one other person contradicts are left out."""
    found: dict[tuple[int, bool, date], AnswerTally] = defaultdict(AnswerTally)
    rows = compared_answers().annotate(month=TruncMonth("created_at"))
    kinds = ("labeler_id", "is_gold", "month")
    for labeler, is_gold, month, n in rows.values_list(*kinds).annotate(Count("pk")):
        found[labeler, is_gold, month.date()].n = n
    doubtful = list(contradicted(rows).values_list(*kinds, "prediction_id"))
    supporters = {
        key: supporting_events(events) for key, events in histories({row[-1] for row in doubtful})
    }
    for labeler, is_gold, month, key in doubtful:
        tally = found[labeler, is_gold, month.date()]
        if are_against(labeler, supporters[key]):
            tally.wrong += 1
        else:
            tally.n -= 1
    return dict(found)


def compare_labeler(
    found: Tallies, labeler: int, others: Collection[int]
) -> LabelerComparison | None:
    """Compare a labeler with others, from the labeler's first month on; None without answers."""
    own = {month for who, _, month in found if who == labeler}
    if not own:
        return None
    months = sorted({month for *_, month in found if month >= min(own)})
    pairs = {
        kind: (
            monthly_counts(found, {labeler}, is_gold, months),
            monthly_counts(found, others, is_gold, months),
        )
        for kind, is_gold in KINDS.items()
    }
    strength = evidence_against(list(pairs.values()))
    figures: dict[str, Any] = {"since": months[strength.since].isoformat()}
    for kind, (own_counts, others_counts) in pairs.items():
        wrong, n = own_counts[strength.since :].sum(axis=0).tolist()
        others_wrong, others_n = others_counts[strength.since :].sum(axis=0).tolist()
        figures[kind] = {
            "wrong": wrong, "n": n, "others_wrong": others_wrong, "others_n": others_n,
        }  # fmt: skip
    return LabelerComparison(strength, figures, len({who for who, *_ in found if who in others}))


def monthly_counts(
    found: Tallies, labelers: Collection[int], is_gold: bool, months: list[date]
) -> MonthlyCounts:
    by_month = np.zeros((len(months), 2), dtype=np.int64)
    at = {month: row for row, month in enumerate(months)}
    for (who, kind, month), tally in found.items():
        if who in labelers and kind == is_gold and month in at:
            by_month[at[month]] += (tally.wrong, tally.n)
    return by_month


# -- alerts --------------------------------------------------------------------------------------


@transaction.atomic
def watch_labelers() -> dict[str, int]:
    """Every night: raise alerts, renew their figures, end those that nothing speaks for any more.

    Labelers with an open alert are nobody's "others".
    """
    found = tallies()
    labelers = {who for who, *_ in found}
    alerts = {alert.labeler_id: alert for alert in open_alerts()}
    done = {"alerts_raised": 0, "alerts_ended": 0}
    for who in sorted(labelers | set(alerts)):
        made = compare_labeler(found, who, labelers - {who} - set(alerts))
        if who in alerts:
            done["alerts_ended"] += renew_alert(alerts[who], made)
        elif made and made.is_enough and made.evidence.names(len(labelers)):
            LabelerAlert.objects.get_or_create(
                labeler_id=who, ended_at=None, defaults={"figures": made.figures}
            )
            done["alerts_raised"] += 1
            logger.info("labeler %s is clearly below the others", who)
    return done


def renew_alert(alert: LabelerAlert, made: LabelerComparison | None) -> bool:
    """Give an open alert its present figures, or end it; whether it was ended."""
    own = LabelerAlert.objects.filter(pk=alert.pk, ended_at__isnull=True)
    if made is None or made.evidence.is_void:
        logger.info("the evidence of alert %s is gone", alert.pk)
        return bool(own.update(ended_at=Moment()))
    own.update(figures=made.figures)
    return False


def open_alerts(*, for_reviewer: User | None = None) -> QuerySet[LabelerAlert]:
    """Open alerts, newest first; a reviewer is not shown those about themselves."""
    alerts = LabelerAlert.objects.filter(ended_at__isnull=True).select_related("labeler")
    return alerts.exclude(labeler=for_reviewer) if for_reviewer else alerts


def deal_with_labeler(labeler: User, *, by: User) -> None:
    """End a labeler's alert. Only answers given from now on can raise another one."""
    if by == labeler or not open_alerts().filter(labeler=labeler).update(
        ended_at=Moment(), ended_by=by
    ):
        raise Gone("There is no open alert about this labeler.")


def alert_in_words(alert: LabelerAlert) -> str:
    """Say it with the numbers, for pages, mail and webhooks."""
    since = formatted(date.fromisoformat(alert.figures["since"]), "F Y")
    parts = [
        f"{each['wrong']:,} of {each['n']:,} {answers} "
        f"(others: {each['others_wrong']:,} of {each['others_n']:,})"
        for kind, answers in [
            ("gold", "answers to gold items were wrong"),
            ("first", "first answers were contradicted by two people"),
        ]
        if (each := alert.figures[kind])["n"]
    ]
    return f"{alert.labeler} is clearly below the others. Since {since}, {', and '.join(parts)}."


# -- the evidence --------------------------------------------------------------------------------


def wrong_answers(labeler: User) -> list[WrongAnswer]:
    """A labeler's answers that count as wrong, the newest first."""
    answers = contradicted(compared_answers().of_labeler(labeler.pk))
    newest = answers.select_related("prediction").order_by("-pk")[: 2 * SHOWN]
    said = said_about([event.prediction_id for event in newest])
    found = [
        WrongAnswer(event, [each for each in said[event.prediction_id] if each.pk != event.pk])
        for event in newest
        if are_against(labeler.pk, supporting_events(said[event.prediction_id]))
    ]
    return found[:SHOWN]
