"""Makes the demo: drawings, what people say of them, and versions that learn from that."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils import timezone

from dashboard.cube.counting import catch_up
from dashboard.demo import presence
from dashboard.demo.plan import (
    COUNTING,
    DRAWING,
    LIVING,
    PREFIX,
    ROLES,
    TEACHING,
    DemoDeclined,
    check_allowed,
    drawn_at,
    events_on,
    period_until,
)
from dashboard.demo.removal import remove_demo
from dashboard.figures.words import day_in_words
from dashboard.models import Demo
from dashboard.replay import replay
from labeling.batches.batches import restate_many
from labeling.decisions.trust import have_been_learned
from labeling.models import Intake, Label, LabelEvent
from labeling.queue.intake import enqueue_new
from predictions.capture.capture import Sketch, prediction_of, sketch_all
from predictions.database.slices import chunks
from predictions.models import Drawing, Feedback, ModelVersion, Owner, Prediction
from predictions.serving.recognizer import load_version
from predictions.serving.registry import register
from training.engine import base
from training.engine.data import STRANGER, Digits, joined
from training.engine.fit import Course, Recipe
from training.engine.strangers import a_stranger, strangers
from training.engine.strokes import one_of, untidy_canvas, written_digits
from training.engine.templates import DIGITS
from training.models import Epoch, Run, Snapshot
from training.runs import fine_tune
from training.snapshots import snapshots
from training.versions import promotion

AT_ONCE = 200  # drawings read and stored together
RUNS_AT = {"2": 0.2, "3": 0.62}  # versions, with the share of the time after which they are taught
# The last one later, if more drawings were left than this for each label that starts a run: a third
# of them become labels to learn from.
LEFT_FOR_A_LABEL = 2.5
# Shares of drawings: audited; of which a visitor says what they are; that are no digits.
AUDIT_RATE, SPEAKS, NO_DIGIT = 0.35, 0.3, 0.015
ONE_WAY = {digit: ways[:1] for digit, ways in DIGITS.items()}  # of the dozen ways of writing each
FIRST = Recipe(epochs=2, batch_size=64, memory=0.9, distortion=0.5)
LATER = Recipe(epochs=6, batch_size=64, memory=0.9, rate=0.02, small_rate=0.002)
KNOWN, LABELS_AN_EPOCH = 1_200, 2_500  # drawn digits; labels, repeated until they are so many

Announce = Callable[[str, float], object]  # what is being done, and the share done


def seed_demo(drawings: int, seed: int, until: date, *, force: bool, told: Announce) -> None:
    """The demo, written in one transaction and told to nobody. Interrupted, it leaves nothing."""
    check_allowed(drawings, force=force)
    story = Story(drawings, seed, until, told)
    told(LIVING, 0.25)
    with transaction.atomic():
        check_allowed(drawings, force=force)  # again: time has passed
        story.write()
    presence.assume(True)
    try:
        told(COUNTING, 0.9)
        catch_up()
        replay.replay_for(seconds=30.0)  # a worker does what is left
    except KeyboardInterrupt:
        remove_demo()
        raise


class Story:
    """What happens in the order of time. What needs no database is made beforehand."""

    def __init__(self, drawings: int, seed: int, until: date, told: Announce) -> None:
        self.seed, self.told, self.random = seed, told, np.random.default_rng(seed)
        self.first, self.until = period_until(until, ZoneInfo(settings.TIME_ZONE))
        self.moments = drawn_at(drawings, self.first, self.until, self.random)
        self.visitors = [self.id() for _ in range(drawings // 30)]
        fine_tune.use_threads(1)
        self.known = joined([written_digits(KNOWN, seed, ONE_WAY), strangers(80, seed)])
        course = base.new_course(self.known, replace(FIRST, seed=seed))
        for _ in course.epochs(lambda: told(TEACHING, 0.15 * course.done)):
            self.reader = course.result
        self.truths, self.sketches = list[int | None](), list[Sketch]()
        while len(self.sketches) < drawings:
            told(DRAWING, 0.15 + 0.1 * len(self.sketches) / drawings)
            label = int(self.random.integers(10)) if self.random.random() > NO_DIGIT else STRANGER
            strokes = (
                a_stranger(self.random) if label == STRANGER else one_of(DIGITS[label], self.random)
            )
            (sketch,) = sketch_all([np.asarray(untidy_canvas(strokes, self.random))])
            if isinstance(sketch, Sketch):  # a dot from a thin pen is refused
                self.truths.append(None if label == STRANGER else label)
                self.sketches.append(sketch)
        self.people, self.coming = dict[str, User](), list[LabelEvent]()
        self.drawn, self.done = 0, 0.25

    def id(self) -> uuid.UUID:
        return uuid.UUID(bytes=self.random.bytes(16), version=4)

    def tell(self, stage: str, share: float) -> None:
        self.told(stage, self.done + share)

    def write(self) -> None:
        intake = Intake.objects.filter(pk=1)
        marks = intake.values("last_prediction", "last_feedback_at", "last_learned").first()
        _, is_new = Demo.objects.get_or_create(pk=1, defaults={
            "seed": self.seed, "drawings": len(self.moments), "before": {"intake": marks},
            "first": self.first, "until": self.until,
        })  # fmt: skip
        if not is_new:
            raise DemoDeclined("Another demo was made at the same moment.")
        intake.update(last_feedback_at=None)  # what visitors of the past say is older
        for name, role in ROLES.items():
            self.people[name] = User.objects.create_user(name, date_joined=self.first)
            self.people[name].groups.add(Group.objects.get(name=role))
        why = "Weak on purpose: it learned one way of writing each digit, from drawn templates."
        self.go_live("1", self.known[:KNOWN], self.first, why)
        for name, at in self.runs_at().items():
            self.live_until(at)
            self.fine_tune(name, at)
        self.live_until(self.until)

    def runs_at(self) -> dict[str, datetime]:
        """When which version is taught; after the last one, too few labels come to start a run."""
        at = {name: self.first + (self.until - self.first) * part for name, part in RUNS_AT.items()}
        left = int(LEFT_FOR_A_LABEL * settings.LABELS_PER_RUN)
        if left < len(self.moments):
            at["3"] = max(at["3"], self.moments[-left])
        return at

    def go_live(self, name: str, examined: Digits, at: datetime, why: str) -> None:
        """Register what was taught, and let it answer from this moment on."""
        parent = ModelVersion.objects.filter(name__startswith=PREFIX).first()  # the newest
        really = timezone.localdate()
        card = {"made": why, "demo": {"really_made_on": f"{really:%Y-%m-%d}"}}
        made = fine_tune.bundle(PREFIX + name, self.reader, examined, self.known, card)
        self.version, by = register(made, parent=parent), self.people["demo-tom"]
        said = f"Demo: {why} (Really on {day_in_words(really)}.)"
        promotion.promote(self.version, by=by, why=said, at=at)
        ModelVersion.objects.filter(pk=self.version.pk).update(created_at=at)
        self.network = load_version(self.version.pk).network

    def fine_tune(self, name: str, at: datetime) -> None:
        """Teach the live version what is settled by now; what comes of it goes live."""
        rule, began = snapshots.default_rule(), timezone.now()
        recipe = replace(LATER, seed=self.seed)
        run = Run(
            state=Run.State.DONE, trigger=Run.Trigger.PAGE, asked_by=self.people["demo-tom"],
            snapshot=snapshots.freeze(snapshots.choose(rule), rule), parent=self.version,
            recipe=asdict(recipe), attempts=1, progress=1.0, ended_at=at,
        )  # fmt: skip
        labels, audits = fine_tune.labels_of(run), Label.objects.audited().readable()
        examined = fine_tune.digits_from(list(audits.values_list("prediction__glyph", "digit")))
        repeated = [labels] * max(1, LABELS_AN_EPOCH // len(labels))
        course = Course(deepcopy(self.reader), joined([*repeated, self.known[::4]]), recipe)
        epochs, before = list[Epoch](), base.accuracy_of(self.reader, examined)
        for epoch in course.epochs(lambda: self.tell("Fine-tuning", 0.16 * course.done)):
            epochs.append(Epoch(run=run, **asdict(epoch), ended_at=at))
        right = base.accuracy_of(course.result, examined)
        why = f"Of {len(examined):,} audits it reads {right:.1%} right, {run.parent} {before:.1%}."
        self.reader, self.done = course.result, self.done + 0.16
        self.go_live(name, labels, at, why)
        run.version, run.asked_at = self.version, at - (timezone.now() - began)
        really = day_in_words(timezone.localdate(began))
        run.started_at, run.log = run.asked_at, f"Demo: really on {really}. {why}\n"
        run.save()
        have_been_learned()
        Epoch.objects.bulk_create(epochs)
        Snapshot.objects.filter(pk=run.snapshot_id).update(created_at=run.asked_at)

    def live_until(self, end: datetime) -> None:
        """What people draw and say before this moment."""
        last = sum(moment < end for moment in self.moments)
        for start in range(self.drawn, last, AT_ONCE):
            share = (start - self.drawn) / (last - self.drawn)
            self.tell("Reading and labeling", 0.11 * share)
            self.draw(range(start, min(start + AT_ONCE, last)))
        self.drawn, self.done = last, self.done + 0.11
        enqueue_new()
        self.coming.sort(key=lambda event: event.created_at)
        due = [event for event in self.coming if event.created_at < end]
        del self.coming[: len(due)]
        LabelEvent.objects.bulk_create(due)
        for some in chunks(sorted({event.prediction_id for event in due}), AT_ONCE):
            restate_many(some)

    def draw(self, numbers: range) -> None:
        """Store drawings with what the live version reads; what people say of them comes later."""
        rows, feedback = list[Prediction](), list[Feedback]()
        sketches = [self.sketches[number] for number in numbers]
        readings = self.network.read(np.stack([sketch.glyph for sketch in sketches]))
        for number, sketch, reading in zip(numbers, sketches, readings, strict=True):
            owner = Owner(visitor=self.visitors[int(self.random.integers(len(self.visitors)))])
            at, truth, said = self.moments[number], self.truths[number], None
            row = prediction_of(sketch, reading, self.version, owner=owner, source="demo", at=at)
            # The same seed makes the same history wherever it is made, audits included.
            row.public_id, row.audit_probability = self.id(), AUDIT_RATE
            row.is_audit = bool(self.random.random() < AUDIT_RATE)
            if self.random.random() < SPEAKS:
                at += timedelta(seconds=2 + float(self.random.exponential(4)))
                said = Feedback(prediction=row, digit=truth, created_at=at, changed_at=at)
                feedback.append(said)
            rows.append(row)
            self.coming += events_on(row, truth, said, self.people, self.random)
        Prediction.objects.bulk_create(rows)
        drawings = zip(rows, sketches, strict=True)
        Drawing.objects.bulk_create(Drawing(prediction=r, png=s.drawing_png) for r, s in drawings)
        Feedback.objects.bulk_create(feedback)
