from __future__ import annotations

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from labeling.standing import REVERSALS, Past
from predictions.database.clock import Moment
from predictions.models import ModelVersion, Prediction, holds_digit


class Stream(models.TextChoices):
    """Why an item is shown."""

    AUDIT = "audit", "chosen at random, blind, never trained on"
    FEEDBACK = "feedback", "a visitor said something about it"
    UNSURE = "unsure", "the model was least sure"
    REVIEW = "review", "somebody asked for another look"
    SECOND = "second", "a second opinion is wanted"


class Batch(models.Model):
    """Many label changes made at once, which can be undone at once."""

    class Kind(models.TextChoices):
        CORRECTION = "correction", "bulk correction"
        GRID = "grid", "confirmed on the grid"
        IMPORT = "import", "imported"
        REVIEW = "review", "sent to review"
        WITHDRAWAL = "withdrawal", "withdrawn: everything of one labeler"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=10, choices=Kind)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True)
    made_at = models.DateTimeField(db_default=Moment())
    chosen_by = models.JSONField(default=dict, help_text="The filter as it stood, in words.")
    count = models.PositiveIntegerField(default=0)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    undone_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "batches"
        ordering = ["-made_at"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.count}"


class LabelEventQuerySet(models.QuerySet["LabelEvent"]):
    def of_labeler(self, user_id: int) -> Self:
        return self.filter(labeler_id=user_id)

    def opinions(self) -> Self:
        """Opinions on items; answers to gold items are excluded."""
        return self.filter(kind=LabelEvent.Kind.LABEL, is_gold=False)

    def one_by_one(self) -> Self:
        """Decisions on items that were looked at one by one, including glyphs of the grid."""
        return self.filter(kind__in=[LabelEvent.Kind.LABEL, LabelEvent.Kind.SETTLE])

    def past(self) -> list[Past]:
        """The events as `Past` tuples, oldest first."""
        rows = self.order_by("pk").values_list(*Past._fields)
        return [Past._make(row) for row in rows.iterator()]

    def standing(self) -> Self:
        """Decisions that are not undone; undos and redos themselves are excluded."""
        # NOT EXISTS rather than a join: with a join, query planners read all events.
        redone = LabelEvent.objects.filter(reverses=OuterRef("pk"))
        undone = LabelEvent.objects.filter(reverses=OuterRef("pk")).filter(~Exists(redone))
        return self.exclude(kind__in=REVERSALS).filter(~Exists(undone))


class LabelEvent(models.Model):
    """A decision, and why its maker was asked for it. Append-only."""

    class Kind(models.TextChoices):
        LABEL = "label", "a labeler's opinion"
        SETTLE = "settle", "a reviewer's ruling"
        CORRECT = "correct", "an admin's correction"
        UNDO = "undo", "takes another event back"
        REDO = "redo", "takes an undo back"

    prediction = models.ForeignKey(Prediction, on_delete=models.PROTECT, related_name="events")
    kind = models.CharField(max_length=7, choices=Kind)
    digit = models.PositiveSmallIntegerField(null=True)
    is_unreadable = models.BooleanField(default=False)
    labeler = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, db_index=False
    )
    visitor = models.UUIDField(null=True, help_text="Who said it where nobody signs in.")
    created_at = models.DateTimeField(db_default=Moment())
    stream = models.CharField(max_length=8, choices=Stream, blank=True)
    score = models.FloatField(null=True, help_text="What ordered it in its stream.")
    selection_probability = models.FloatField(
        null=True, help_text="The chance it had of being shown; empty where no chance was drawn."
    )
    version = models.ForeignKey(
        ModelVersion,
        on_delete=models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        help_text="The model version whose guess it was about.",
    )
    guess_shown = models.BooleanField(default=False)
    seconds = models.FloatField(null=True, help_text="From shown to decided.")
    wants_second = models.BooleanField(
        default=False, help_text="A second opinion was called for, by contradiction or by lot."
    )
    is_gold = models.BooleanField(default=False, help_text="The answer was known beforehand.")
    request_id = models.UUIDField(null=True, unique=True)
    reverses = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, db_index=False, related_name="reversals"
    )
    turn = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="How often what it reverses was reversed before."
    )
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, null=True, related_name="events")

    objects = LabelEventQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["labeler", "-id"], name="event_of_labeler"),
            models.Index(fields=["labeler", "created_at"], name="event_of_labeler_by_time"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(digit__isnull=True) | holds_digit("digit"), name="event_is_a_digit"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=REVERSALS, digit__isnull=True, is_unreadable=False)
                | (~Q(kind__in=REVERSALS) & Q(digit__isnull=False, is_unreadable=False))
                | (~Q(kind__in=REVERSALS) & Q(digit__isnull=True, is_unreadable=True)),
                name="event_says_a_digit_or_unreadable_or_reverses",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=REVERSALS, reverses__isnull=False)
                | (~Q(kind__in=REVERSALS) & Q(reverses__isnull=True)),
                name="only_an_undo_or_a_redo_reverses",
            ),
            models.UniqueConstraint(fields=["reverses", "turn"], name="reversed_once_a_turn"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.value} on {self.prediction_id}"

    @property
    def is_reversal(self) -> bool:
        return self.kind in REVERSALS

    @property
    def value(self) -> str:
        return "unreadable" if self.is_unreadable else str(self.digit)


class LabelQuerySet(models.QuerySet["Label"]):
    def settled(self) -> Self:
        return self.filter(state=Label.State.SETTLED)

    def readable(self) -> Self:
        """Labels that name a digit; the rest were judged unreadable."""
        return self.filter(digit__isnull=False)

    def disputed(self) -> Self:
        """Disputed labels that a reviewer can still settle; erased drawings are excluded."""
        return self.filter(state=Label.State.DISPUTED).pictured()

    def pictured(self) -> Self:
        """Labels on drawings that are not erased; only these can be trained on or evaluated."""
        return self.filter(prediction__erased_at__isnull=True)

    def audited(self) -> Self:
        """Labels on drawings chosen at random, the only unbiased sample there is."""
        return self.filter(prediction__is_audit=True)


class Label(models.Model):
    """The current label of a prediction, always equal to what `standing` gives for its events."""

    class State(models.TextChoices):
        SETTLED = "settled", "settled"
        AWAITING = "awaiting", "waits for another opinion"
        DISPUTED = "disputed", "waits for a reviewer"

    prediction = models.OneToOneField(
        Prediction, on_delete=models.PROTECT, primary_key=True, related_name="label"
    )
    digit = models.PositiveSmallIntegerField(null=True)
    is_unreadable = models.BooleanField(default=False)
    state = models.CharField(max_length=8, choices=State)
    opinions = models.PositiveSmallIntegerField()
    event = models.ForeignKey(
        LabelEvent,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The last that still counts towards it.",
    )

    objects = LabelQuerySet.as_manager()

    class Meta:
        permissions = [
            ("label_items", "Can label what the queue shows"),
            ("review_items", "Can settle disputes and send items to review"),
            ("correct_in_bulk", "Can correct many labels at once"),
        ]
        indexes = [
            models.Index(
                fields=["prediction"], condition=Q(state="disputed"), name="label_disputed"
            ),
            models.Index(fields=["digit", "-prediction"], name="label_of_digit"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(digit__isnull=True, is_unreadable=True)
                | (holds_digit("digit") & Q(is_unreadable=False)),
                name="label_is_a_digit_or_unreadable",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.value} ({self.state})"

    @property
    def value(self) -> str:
        return "unreadable" if self.is_unreadable else str(self.digit)


class QueueItem(models.Model):
    """A prediction's place in the queue, and who holds it. The order is (stream, rank)."""

    prediction = models.OneToOneField(
        Prediction, on_delete=models.CASCADE, primary_key=True, related_name="queue_item"
    )
    origin = models.CharField(
        max_length=8, choices=Stream, help_text="Where it belongs while nobody has said anything."
    )
    stream = models.CharField(max_length=8, choices=Stream)
    rank = models.FloatField(help_text="Smallest first within the stream.")
    score = models.FloatField(help_text="The model's margin between its two best digits.")
    digit = models.PositiveSmallIntegerField(help_text="The guess; the grid is ordered by it.")
    selection_probability = models.FloatField(null=True)
    is_open = models.BooleanField(default=True)
    is_parked = models.BooleanField(
        default=False, help_text="Not to be shown: a twin of another item, or gold."
    )
    review_after = models.BigIntegerField(
        null=True,
        help_text="Another look was asked for while this event stood; 0 when none did.",
    )
    glyph_digest = models.UUIDField()
    owner_key = models.CharField(max_length=40, help_text="Who made it; spreads a writer's items.")
    holder = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="leases"
    )
    token = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    skips = models.PositiveSmallIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(
                fields=["stream", "rank", "prediction"],
                condition=Q(is_open=True),
                name="queue_order",
            ),
            models.Index(fields=["glyph_digest"], name="queue_twins"),
            # The surest guesses of one digit, for the grid.
            models.Index(
                fields=["stream", "digit", "-score", "prediction"],
                condition=Q(is_open=True),
                name="queue_grid",
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=holds_digit("digit"), name="queue_item_is_a_digit"),
            models.CheckConstraint(
                condition=Q(token__isnull=True, leased_until__isnull=True)
                | Q(token__isnull=False, leased_until__isnull=False),
                name="lease_has_token_and_end",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prediction_id} in {self.stream}"


class Skip(models.Model):
    """A labeler skipped an item; it is not shown to them again."""

    prediction = models.ForeignKey(Prediction, on_delete=models.CASCADE)
    labeler = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    created_at = models.DateTimeField(db_default=Moment())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["prediction", "labeler"], name="one_skip_a_labeler")
        ]

    def __str__(self) -> str:
        return f"{self.labeler_id} skipped {self.prediction_id}"


class Ask(models.Model):
    """A request for another look at an item; it keeps the old queue position for an undo."""

    prediction = models.ForeignKey(Prediction, on_delete=models.CASCADE, related_name="asks")
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="asks")
    score = models.FloatField(null=True, help_text="How suspicious its label was, if that is why.")
    digit = models.PositiveSmallIntegerField(
        null=True, help_text="What its label said then; empty for none and for unreadable."
    )
    rank = models.FloatField(help_text="The place it was given.")
    was_rank = models.FloatField()
    was_review_after = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "prediction"], name="asked_once_a_batch")
        ]

    def __str__(self) -> str:
        return f"another look at {self.prediction_id}"


class Arrival(models.Model):
    """A prediction that an import created, and its place in the file."""

    prediction = models.OneToOneField(
        Prediction, on_delete=models.CASCADE, primary_key=True, related_name="arrival"
    )
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="arrivals")
    name = models.CharField(max_length=200, help_text="Its file, or its place in one.")

    def __str__(self) -> str:
        return f"{self.prediction_id} from {self.name}"


class Gold(models.Model):
    """An item with a known answer, mixed into the queue to measure labelers' accuracy."""

    prediction = models.OneToOneField(Prediction, on_delete=models.CASCADE, primary_key=True)
    digit = models.PositiveSmallIntegerField()
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True)
    added_at = models.DateTimeField(db_default=Moment())
    is_automatic = models.BooleanField(
        default=False, db_default=False, help_text="Chosen by lot, until everybody answered it."
    )

    class Meta:
        verbose_name_plural = "gold"
        constraints = [
            models.CheckConstraint(condition=holds_digit("digit"), name="gold_is_a_digit")
        ]

    def __str__(self) -> str:
        return f"{self.prediction_id} is {self.digit}"


class LabelerAlert(models.Model):
    """A labeler is clearly below the others; at most one alert of a labeler is open."""

    labeler = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="labeler_alerts"
    )
    figures = models.JSONField(help_text="Wrong answers and answers, the labeler's and others'.")
    raised_at = models.DateTimeField(db_default=Moment())
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="The reviewer who dealt with it; empty if the evidence is gone.",
    )

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["labeler"],
                condition=Q(ended_at__isnull=True),
                name="one_open_alert_a_labeler",
            )
        ]

    def __str__(self) -> str:
        return f"{self.labeler} is clearly below the others"


class Note(models.Model):
    """What a labeler wrote about an item, for reviewers; deleted when the drawing is erased."""

    prediction = models.ForeignKey(Prediction, on_delete=models.CASCADE, related_name="notes")
    labeler = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notes"
    )
    text = models.CharField(max_length=500)
    created_at = models.DateTimeField(db_default=Moment())

    def __str__(self) -> str:
        return f"note on {self.prediction_id}"


class Guidelines(models.Model):
    """What labelers should go by. One row."""

    text = models.TextField(blank=True)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    changed_at = models.DateTimeField(db_default=Moment())

    class Meta:
        verbose_name_plural = "guidelines"
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="one_text_of_guidelines")]

    def __str__(self) -> str:
        return f"guidelines of {self.changed_at:%Y-%m-%d}"


class Selection(models.Model):
    """Items shown for a bulk action, and the state of each when it was shown."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    shown_at = models.DateTimeField(db_default=Now())
    chosen_by = models.JSONField(default=dict, help_text="The filter as it stood, in words.")
    keys = models.BinaryField(help_text="Predictions, as 64-bit integers.")
    stood = models.BinaryField(help_text="What stood about each, as 64-bit integers.")

    def __str__(self) -> str:
        return f"{len(self.keys) // 8} shown to {self.owner_id}"


class Wanted(models.Model):
    """An item that has priority in the queue, because a higher app (`training`) wants its label."""

    prediction = models.OneToOneField(
        Prediction, on_delete=models.CASCADE, primary_key=True, related_name="wanted"
    )
    rank = models.FloatField(db_index=True, help_text="Smallest first.")

    class Meta:
        verbose_name_plural = "wanted"

    def __str__(self) -> str:
        return f"{self.prediction_id} is wanted"


class Intake(models.Model):
    """How far predictions were enqueued, and labels were used by runs and for gold. One row."""

    last_prediction = models.BigIntegerField(default=0)
    last_feedback_at = models.DateTimeField(null=True)
    last_learned = models.BigIntegerField(
        default=0, help_text="Labels up to this event have been handed to a run."
    )
    learned_before = models.BigIntegerField(
        null=True, help_text="While a run learns: up to this event, earlier runs had learned."
    )
    last_gold = models.BigIntegerField(
        default=0, db_default=0, help_text="Labels up to this event have had their chance of gold."
    )

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="one_intake")]

    def __str__(self) -> str:
        return f"up to prediction {self.last_prediction}"


class SavedView(models.Model):
    """A filter of the admin's list, saved under a name."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views"
    )
    name = models.CharField(max_length=40)
    querystring = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="one_saved_view_of_a_name")
        ]

    def __str__(self) -> str:
        return self.name
