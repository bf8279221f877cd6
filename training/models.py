from __future__ import annotations

import secrets
import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from labeling.models import LabelEvent
from predictions.database.clock import Moment
from predictions.models import ModelVersion, Prediction, holds_digit


class Snapshot(models.Model):
    """The frozen list of label events a run trains on. Equal lists have equal digests."""

    digest = models.CharField(max_length=64, help_text="SHA-256 of the events' keys and digits.")
    rule = models.JSONField(help_text="The rule that chose, with its settings as they stood.")
    count = models.PositiveIntegerField()
    counts = models.JSONField(help_text="How many of each digit, and what was left out and why.")
    holdout = models.JSONField(
        default=list,
        help_text="Of older releases: [event, digit] of the labels that chose the epoch.",
    )
    last_event = models.ForeignKey(
        LabelEvent, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    last_prediction = models.BigIntegerField(
        null=True, help_text="The newest prediction then; later ones may judge what it teaches."
    )
    created_at = models.DateTimeField(db_default=Moment())

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.count} labels, {self.digest[:8]}"


class SnapshotLabel(models.Model):
    """One label of a snapshot: the event that settled it, and its digit in training."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="labels")
    event = models.ForeignKey(LabelEvent, on_delete=models.PROTECT, related_name="snapshots")
    digit = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["snapshot", "event"], name="one_place_an_event_in_a_snapshot"
            )
        ]

    def __str__(self) -> str:
        return f"{self.event_id} as {self.digit}"


class SnapshotEvent(models.Model):
    """Another event that a label of a snapshot rests on, beside the one that settled it."""

    label = models.ForeignKey(
        SnapshotLabel, on_delete=models.CASCADE, related_name="others", db_index=False
    )
    event = models.ForeignKey(LabelEvent, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["label", "event"], name="one_place_an_event_behind_a_label"
            )
        ]

    def __str__(self) -> str:
        return f"{self.event_id} behind {self.label_id}"


class RunQuerySet(models.QuerySet["Run"]):
    def active(self) -> Self:
        return self.filter(state__in=Run.ACTIVE)


class Run(models.Model):
    """One attempt to make a better version; at most one is queued or running."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELED = "canceled"

    ACTIVE = (State.QUEUED, State.RUNNING)

    class Trigger(models.TextChoices):
        PAGE = "page", "the page's button"
        API = "api", "a program"
        COMMAND = "command", "the command line"
        SCHEDULE = "schedule", "the schedule"
        THRESHOLD = "threshold", "enough new labels"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    state = models.CharField(max_length=8, choices=State, default=State.QUEUED)
    trigger = models.CharField(max_length=9, choices=Trigger)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True)
    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="runs")
    parent = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, related_name="+", help_text="What it starts from."
    )
    version = models.OneToOneField(
        ModelVersion, on_delete=models.PROTECT, null=True, related_name="run"
    )
    recipe = models.JSONField(help_text="Everything that decides what is learned, whole.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Counted before the work.")
    asked_at = models.DateTimeField(db_default=Moment())
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    host = models.CharField(max_length=100, blank=True)
    process = models.PositiveIntegerField(null=True)
    progress = models.FloatField(default=0, help_text="0 to 1.")
    cancel_asked = models.BooleanField(default=False)
    request_id = models.CharField(
        max_length=64, blank=True, help_text="The request or job that asked; its log lines have it."
    )
    reason = models.TextField(blank=True, help_text="Why it failed or was canceled, in words.")
    log = models.TextField(blank=True)
    checkpoint = models.BinaryField(null=True, help_text="Where a killed attempt is taken up.")

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        permissions = [
            ("start_run", "Can start and cancel fine-tuning"),
            ("promote_version", "Can promote a model version and roll back"),
        ]
        constraints = [
            # Both active states count as one, so a second run cannot even be queued.
            models.UniqueConstraint(
                models.Value(1),
                condition=Q(state__in=["queued", "running"]),
                name="one_active_run",
            )
        ]

    def __str__(self) -> str:
        return f"run {self.pk} ({self.state})"

    @property
    def is_active(self) -> bool:
        return self.state in self.ACTIVE


class Epoch(models.Model):
    """One point of a run's curve."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="epochs")
    number = models.PositiveSmallIntegerField()
    loss = models.FloatField()
    accuracy = models.FloatField(help_text="On the epoch's own digits while they were learned.")
    holdout_accuracy = models.FloatField(
        null=True, help_text="Of older releases, which chose the epoch by it."
    )
    ended_at = models.DateTimeField(db_default=Moment())

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="one_epoch_of_a_number_per_run")
        ]

    def __str__(self) -> str:
        return f"epoch {self.number} of {self.run_id}"


class GateReport(models.Model):
    """How a trial was decided, or what the gate said before there were trials."""

    class Verdict(models.TextChoices):
        PROMOTE = "promote"
        REJECT = "reject"
        MORE = "more", "not decided"

    candidate = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, related_name="gate_reports"
    )
    against = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=7, choices=Verdict)
    labels_needed = models.PositiveIntegerField(null=True)
    reasons = models.JSONField(help_text="In words, the deciding ones first.")
    figures = models.JSONField(help_text="Everything it rests on.")
    look = models.PositiveIntegerField(
        help_text="The how-manieth against that live version; before trials, the look."
    )
    made_at = models.DateTimeField(db_default=Moment())

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.candidate} against {self.against}: {self.verdict}"


class TrialQuerySet(models.QuerySet["Trial"]):
    def under_way(self) -> Self:
        return self.filter(state=Trial.State.UNDER_WAY)

    def open(self) -> Self:
        """Under way, or won and waiting for somebody to promote the candidate."""
        return self.filter(state__in=[Trial.State.UNDER_WAY, Trial.State.WON])


class Trial(models.Model):
    """A candidate on trial: it and the live version both read every new drawing."""

    class State(models.TextChoices):
        UNDER_WAY = "under_way", "under way"
        PROMOTED = "promoted"
        WON = "won", "won, waits to be promoted"
        NO_BETTER = "no_better", "no better"
        HARM = "harm", "reads something worse"
        OVERTAKEN = "overtaken", "set aside"

    candidate = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="trials")
    against = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, related_name="+", help_text="The live version."
    )
    number = models.PositiveIntegerField(
        help_text="The how-manieth against this live version; later ones need more evidence."
    )
    state = models.CharField(max_length=9, choices=State, default=State.UNDER_WAY)
    reason = models.TextField(blank=True, help_text="Why it ended, in words.")
    after_prediction = models.BigIntegerField(help_text="Predictions after this one may judge.")
    read_up_to = models.BigIntegerField(default=0, help_text="The newest prediction read.")
    said = models.TextField(
        blank=True, default="", db_default="", help_text="Its first sentence when last weighed."
    )
    base = models.JSONField(null=True, help_text="How both read MNIST; empty until they have.")
    report = models.OneToOneField(
        GateReport, on_delete=models.PROTECT, null=True, related_name="trial"
    )
    figures = models.JSONField(
        null=True,
        help_text="What it showed, if it ended without a report; stored before its readings go.",
    )
    began_at = models.DateTimeField(db_default=Moment())
    ended_at = models.DateTimeField(null=True)

    objects = TrialQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["candidate", "against"],
                condition=Q(state="under_way"),
                name="one_trial_under_way_per_pair",
            ),
            models.UniqueConstraint(
                fields=["against", "number"], name="one_trial_of_a_number_per_live_version"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.candidate} against {self.against}"

    @property
    def is_under_way(self) -> bool:
        return self.state == self.State.UNDER_WAY

    @property
    def verdict(self) -> str:
        """How it was decided, as a report says it; *more* while it is not."""
        if self.state in {self.State.PROMOTED, self.State.WON}:
            return GateReport.Verdict.PROMOTE
        if self.state in {self.State.NO_BETTER, self.State.HARM}:
            return GateReport.Verdict.REJECT
        return GateReport.Verdict.MORE


class TrialReading(models.Model):
    """What both versions of a trial read in one drawing."""

    trial = models.ForeignKey(
        Trial, on_delete=models.CASCADE, related_name="readings", db_index=False
    )
    prediction = models.ForeignKey(
        Prediction, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    live_digit = models.PositiveSmallIntegerField()
    live_confidence = models.FloatField()
    candidate_digit = models.PositiveSmallIntegerField()
    candidate_confidence = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["trial", "prediction"], name="read_once_a_trial"),
            models.CheckConstraint(
                condition=holds_digit("live_digit") & holds_digit("candidate_digit"),
                name="trial_reads_digits",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prediction_id}: {self.live_digit} and {self.candidate_digit}"


def new_secret() -> str:
    return secrets.token_urlsafe(32)


class Endpoint(models.Model):
    """A webhook receiver: its address, and the secret that signs its messages."""

    name = models.CharField(max_length=60, unique=True)
    url = models.CharField(max_length=500, help_text="https, and no address inside this network.")
    is_active = models.BooleanField(default=True)
    secret = models.CharField(max_length=64, default=new_secret, editable=False)
    former_secret = models.CharField(max_length=64, blank=True, editable=False)
    rotated_at = models.DateTimeField(
        null=True, editable=False, help_text="For a day the former secret signs too."
    )
    created_at = models.DateTimeField(db_default=Moment(), editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Message(models.Model):
    """A message of the outbox: an event to deliver to one receiver."""

    class State(models.TextChoices):
        WAITING = "waiting"
        DELIVERED = "delivered"
        DEAD = "dead", "given up"

    class Kind(models.TextChoices):
        RUN = "run.finished", "a run finished"
        VERDICT = "gate.verdict", "a trial was decided"
        PROMOTED = "version.promoted", "a version went live"
        ROLLED_BACK = "version.rolled_back", "a version was taken back"
        UNDONE = "labels.undone", "a batch of labels was taken back"
        THRESHOLD = "labels.threshold", "enough new labels for a run"
        FELL = "accuracy.fell", "accuracy fell"
        BELOW = "labeler.below", "a labeler is clearly below the others"

    public_id = models.UUIDField(default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=20, choices=Kind)
    subject = models.CharField(max_length=100, help_text="What it is about, once a receiver.")
    data = models.JSONField()
    endpoint = models.ForeignKey(
        Endpoint,
        on_delete=models.CASCADE,
        null=True,
        help_text="None: e-mail to trainers or reviewers.",
    )
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Counted before each.")
    next_at = models.DateTimeField(db_default=Moment())
    answer = models.CharField(max_length=300, blank=True, help_text="To the last attempt.")
    happened_at = models.DateTimeField(db_default=Moment())
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(state="waiting"), name="message_due")
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject", "endpoint"], name="told_once_an_endpoint"
            ),
            models.UniqueConstraint(
                fields=["kind", "subject"],
                condition=Q(endpoint__isnull=True),
                name="mailed_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}"


class Promotion(models.Model):
    """An entry of the ledger: who changed the live version, when and why. Never edited."""

    class Kind(models.TextChoices):
        PROMOTION = "promotion"
        ROLLBACK = "rollback"
        AUTOMATIC = "automatic", "rolled back by itself"

    kind = models.CharField(max_length=9, choices=Kind)
    before = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, null=True, related_name="demotions"
    )
    after = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="promotions")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True)
    why = models.TextField()
    report = models.ForeignKey(GateReport, on_delete=models.PROTECT, null=True)
    made_at = models.DateTimeField(db_default=Moment())

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["-made_at"], name="promotion_by_time")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.after}"


class Backup(models.Model):
    """One attempt at a backup and its result. The file itself is not in the database."""

    class State(models.TextChoices):
        DONE = "done"
        FAILED = "failed"

    state = models.CharField(max_length=6, choices=State)
    path = models.CharField(max_length=500)
    host = models.CharField(max_length=100)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(db_default=Moment())
    size = models.BigIntegerField(null=True, help_text="Bytes.")
    sha256 = models.CharField(max_length=64, blank=True, help_text="Of the file.")
    rows = models.JSONField(default=dict, help_text="How many of each table are in it.")
    reason = models.TextField(blank=True, help_text="Why it failed, in words.")

    class Meta:
        ordering = ["-pk"]
        default_permissions = ("view",)
        permissions = [("view_system", "Can look at the system page")]

    def __str__(self) -> str:
        return f"backup of {self.started_at:%Y-%m-%d %H:%M} ({self.state})"
