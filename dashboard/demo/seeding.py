"""Makes the history: people, drawings, labels, corrections, gold, and two fine-tunes between."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction
from django.utils import timezone

from dashboard.cube.counting import catch_up
from dashboard.demo import learning, presence
from dashboard.demo.history import Hands, History
from dashboard.demo.opinions import Crowd, Rates
from dashboard.demo.plan import MUDDLED, MUDDLER, PEOPLE, RUNS_AT, Period, period_until
from dashboard.models import Demo
from dashboard.replay import replay
from labeling.batches import batches, bulk
from labeling.batches.gold_items import add_gold, surest
from labeling.batches.selections import as_shown
from labeling.decisions.decisions import Verdict
from labeling.errors import EmptySelection
from labeling.models import Batch, Gold, Intake, Label, LabelEvent
from labeling.queue.intake import take_in
from predictions.database import clock
from predictions.errors import Declined
from predictions.models import Prediction
from training.engine.mnist import NoMnist, fetch
from training.errors import NotEnoughLabels
from training.messages import outbox
from training.models import GateReport
from training.runs.recipe import Tuning
from training.versions.promotion import live_version

logger = logging.getLogger(__name__)

REPLAY_FOR = 60.0  # seconds at most
FEWEST = 300  # drawings; fewer leave a fine-tune too little to learn from
GOLD_AT, CORRECTED_AT, ACCEPTED_AT, UNDONE_AT = 0.34, 0.58, 0.80, 0.805  # of the time
GOLD_SHARE = 1 / 150  # of the drawings
IN_WORDS = {"mnist": "MNIST digits, distorted", "written": "digits drawn from stroke templates"}


class DemoDeclined(Declined):
    """The history is not made here, or not now."""

    code = "demo_declined"


@dataclass(frozen=True, slots=True)
class Told:
    """Who follows the work: what is under way, and steps done of the steps there are."""

    stage: Callable[[str], object] = lambda text: None
    steps: Callable[[int], object] = lambda count: None


STEPS_A_RUN = 2_000  # of the bar, about what as many drawings take


def steps_of(drawings: int) -> int:
    return drawings + len(RUNS_AT) * STEPS_A_RUN


def seed_demo(
    *,
    drawings: int,
    seed: int,
    until: date,
    force: bool = False,
    tuning: Tuning | None = None,
    told: Told | None = None,
) -> Demo:
    """The history, whole; what an interrupted attempt leaves is removed like a whole one."""
    check(drawings, force=force)
    told = told or Told()
    period = period_until(until, ZoneInfo(settings.TIME_ZONE))
    told.stage("getting digits")
    digits, hands = hands_for(drawings, seed)
    with outbox.muted():
        return make(drawings, seed, period, digits, hands, tuning or learning.TUNING, told)


def make(
    drawings: int,
    seed: int,
    period: Period,
    digits: str,
    hands: Hands,
    tuning: Tuning,
    told: Told,
) -> Demo:
    zone = ZoneInfo(settings.TIME_ZONE)
    demo = begin(drawings, seed, digits, period)
    presence.forget()
    dice = np.random.default_rng(seed)
    rates = Rates(settings.CONFIDENT, settings.SECOND_OPINION_RATE)
    people = make_people(period)
    Story(
        History(
            drawings,
            period,
            zone,
            hands=hands,
            crowd=Crowd(period, zone, rates, np.random.default_rng([seed, 1])),
            people=people,
            dice=dice,
            tell=told.steps,
        ),
        replace(tuning, replays=digits, seed=seed),
        told,
    ).tell()
    told.stage("counting")
    catch_up()
    told.stage("replaying")
    replay.work(seconds=REPLAY_FOR)  # what is left over a worker does
    demo.finished_at = clock.now()
    demo.save(update_fields=["finished_at"])
    logger.info("a demo of %s drawings was made", drawings)
    return demo


def check(drawings: int, *, force: bool) -> None:
    if drawings < FEWEST:
        raise DemoDeclined(f"{drawings} drawings are too few to learn from; {FEWEST} are needed.")
    if demo := Demo.objects.first():
        left = "" if demo.finished_at else ", unfinished"
        raise DemoDeclined(f"A demo is here already ({demo}{left}): seed_demo --remove takes it.")
    real = Prediction.objects.count()
    if real and not force:
        raise DemoDeclined(
            f"{real:,} drawings of people are here. A made-up history would mix with theirs on"
            " every page; --force does it all the same, and --remove takes it out again."
        )


def hands_for(drawings: int, seed: int) -> tuple[str, Hands]:
    """MNIST's digits; where its files are not to be had, digits drawn from stroke templates."""
    from training.engine.standins import StandIns

    folder = Path(settings.MNIST_DIR)
    try:
        fetch(folder)
        digits, source = "mnist", StandIns.of_mnist(folder, seed)
    except NoMnist:
        digits, source = "written", StandIns.written(drawings, seed)
    return digits, Hands(source, StandIns.of_no_digit(max(drawings // 40, 8), seed + 1))


@transaction.atomic
def begin(drawings: int, seed: int, digits: str, period: Period) -> Demo:
    """Note what was here, so that it can be put back; then the history's first version is live."""
    live = live_version()
    marks = ("last_prediction", "last_feedback_at", "last_learned")
    intake = Intake.objects.filter(pk=1).values(*marks).first()
    before: dict[str, Any] = {
        "live": live.pk if live else None,
        "live_since": live.live_since.isoformat() if live and live.live_since else None,
        "intake": json.loads(json.dumps(intake, default=str)),
    }
    try:
        demo = Demo.objects.create(
            pk=1, seed=seed, drawings=drawings, digits=digits, before=before,
            first=period.first, until=period.until,
        )  # fmt: skip
    except IntegrityError as raced:
        raise DemoDeclined("Another demo is being made.") from raced
    # What visitors of the past say is older than what was taken in last.
    Intake.objects.filter(pk=1).update(last_feedback_at=None)
    learning.start_with_base(period.first)
    return demo


@transaction.atomic
def make_people(period: Period) -> dict[str, User]:
    """Accounts nobody can sign in to: their passwords are unusable."""
    people = {}
    for person in PEOPLE:
        user = User(username=person.name, date_joined=period.first)  # no address: no mail
        user.set_unusable_password()
        user.save()
        user.groups.add(Group.objects.get(name=person.role))
        people[person.name] = user
    return people


class Story:
    """What happens at which moment, between what happens all the time."""

    def __init__(self, history: History, tuning: Tuning, told: Told) -> None:
        self.history, self.tuning, self.told = history, tuning, told
        self.people = history.people
        self.accepted: Batch | None = None

    def tell(self) -> None:
        happenings: list[tuple[float, Callable[[datetime], object]]] = [
            (GOLD_AT, self.make_gold),
            (CORRECTED_AT, self.correct_muddle),
            (ACCEPTED_AT, self.accept_feedback),
            (UNDONE_AT, self.undo_accepting),
            *((share, self.fine_tune) for share in RUNS_AT),
        ]
        period = self.history.period
        for share, happening in sorted(happenings, key=lambda each: each[0]):
            self.told.stage("drawing and labeling")
            at = period.at(share).replace(hour=10, minute=20)
            self.history.go_on_until(at)
            happening(at)
        self.told.stage("drawing and labeling")
        self.history.go_on_until(period.until)

    def make_gold(self, at: datetime) -> None:
        """Drawings two people agreed on become known answers; labelers meet them from then on."""
        wanted = max(round(self.history.total * GOLD_SHARE), 2)
        chosen = surest(wanted, seed=0).filter(is_audit=False, source=Prediction.Source.DEMO)
        try:
            add_gold(as_shown(chosen), by=self.people["demo-ines"], at=at)
        except EmptySelection:
            return  # so small a history has none yet
        for key, digit in Gold.objects.filter(added_at=at).values_list("pk", "digit"):
            self.history.closed.add(key)
            self.history.expect(self.history.crowd.answers_to_gold(key, digit, at))

    def correct_muddle(self, at: datetime) -> None:
        """Somebody noticed that one labeler took ones for sevens, and corrects them at once."""
        low, high = (self.history.period.at(share) for share in MUDDLED)
        muddled = LabelEvent.objects.filter(
            digit=7, labeler=self.people[MUDDLER], created_at__range=(low, high), is_gold=False
        ).values_list("prediction", flat=True)
        keys = sorted({key for key in muddled if self.history.truths.get(key) == 1})
        if not keys:
            return
        bulk.correct_each(
            dict.fromkeys(keys, Verdict(1)),
            by=self.people["demo-ines"],
            kind=Batch.Kind.CORRECTION,
            chosen_by={"labeler": MUDDLER, "label": "7", "demo": "true"},
            at=at,
        )
        self.history.closed.update(keys)

    def accept_feedback(self, at: datetime) -> None:
        """The admin believes what visitors said, one who lies included."""
        rows = Prediction.objects.filter(
            source=Prediction.Source.DEMO, is_audit=False, label=None, feedback__isnull=False
        ).values_list("pk", "feedback__digit")
        said = {key: Verdict(digit) for key, digit in rows}
        if said:
            self.accepted = bulk.correct_each(
                said,
                by=self.people["demo-ines"],
                kind=Batch.Kind.CORRECTION,
                chosen_by={"feedback": "any", "label": "none", "demo": "true"},
                at=at,
            )

    def undo_accepting(self, at: datetime) -> None:
        """An hour later they saw what they had done."""
        if self.accepted is not None:
            at = self.accepted.made_at + (at - self.accepted.made_at) / 24
            batches.undo_batch(self.accepted, by=self.people["demo-ines"], at=at)

    def fine_tune(self, at: datetime) -> None:
        self.told.stage("fine-tuning")
        done = 0

        def watch(share: float) -> None:
            nonlocal done
            self.told.steps(int(share * STEPS_A_RUN) - done)
            done = int(share * STEPS_A_RUN)

        take_in()
        try:
            learning.fine_tune(at, by=self.people["demo-tom"], tuning=self.tuning, watch=watch)
        except NotEnoughLabels as few:
            raise DemoDeclined(f"{few} Ask for more --drawings.") from few


def told_of(demo: Demo) -> list[str]:
    """What is in it, in lines for a person."""
    drawn = Prediction.objects.filter(source=Prediction.Source.DEMO)
    labeled = Label.objects.filter(prediction__source=Prediction.Source.DEMO)
    lines = [
        f"{drawn.count():,} drawings from {local(demo.first)} until {local(demo.until)}.",
        f"{drawn.filter(is_audit=True).count():,} are audits, {labeled.count():,} are labeled.",
        f"{labeled.disputed().count():,} labels are disputed.",
        "Accounts nobody can sign in to: " + ", ".join(person.name for person in PEOPLE) + ".",
    ]
    for report in (
        GateReport.objects.filter(candidate__name__startswith=learning.PREFIX)
        .order_by("pk")
        .select_related("candidate")
    ):
        state = report.candidate.get_state_display().lower()
        lines.append(f"{report.candidate}: the gate said {report.verdict}; now {state}.")
    return lines


def local(at: datetime) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d}"
