from __future__ import annotations

import datetime
import uuid
from dataclasses import dataclass
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from predictions.database.clock import Moment
from predictions.database.fields import PackedFloatsField

DIGITS = range(10)
STRANGE = 0.5  # strangeness at or above this: more likely no digit than one


def holds_digit(field: str) -> Q:
    return Q(**{f"{field}__gte": 0, f"{field}__lte": 9})


class ModelVersionQuerySet(models.QuerySet["ModelVersion"]):
    def live(self) -> Self:
        return self.filter(state=ModelVersion.State.LIVE)

    def retired(self) -> Self:
        return self.filter(state=ModelVersion.State.RETIRED)


class ModelVersion(models.Model):
    """Weights, where they came from and what they can do; exactly one version is live."""

    class State(models.TextChoices):
        CANDIDATE = "candidate"
        LIVE = "live"
        RETIRED = "retired"
        REJECTED = "rejected"

    name = models.CharField(max_length=60, unique=True)
    state = models.CharField(max_length=10, choices=State, default=State.CANDIDATE)
    parent = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="children"
    )
    card = models.JSONField(default=dict, help_text="Recipe, size and figures with n and interval.")
    canary = models.JSONField(help_text="Ten glyphs and what this version must say about them.")
    created_at = models.DateTimeField(db_default=Moment())
    live_since = models.DateTimeField(null=True, blank=True)
    note = models.TextField(blank=True, default="", db_default="")
    tags = models.CharField(
        max_length=200, blank=True, default="", db_default="", help_text="Separated by spaces."
    )

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=Q(state="live"), name="one_live_model_version"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_live(self) -> bool:
        return self.state == self.State.LIVE

    @property
    def state_in_words(self) -> str:
        """Its state; a version that was live and was rolled back is *taken back*."""
        if self.state == self.State.REJECTED and self.live_since is not None:
            return "taken back"
        return self.get_state_display().lower()

    @property
    def tag_list(self) -> list[str]:
        return self.tags.split()


class Artifact(models.Model):
    """The bytes of a version's weights beside their digest; hosts share nothing but these rows."""

    class Kind(models.TextChoices):
        ONNX = "onnx", "ONNX, for serving"
        SAFETENSORS = "safetensors", "safetensors, for training"

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="artifacts")
    kind = models.CharField(max_length=12, choices=Kind)
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "kind"], name="one_artifact_of_a_kind_per_version"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version} {self.kind}"


class ServingFault(models.Model):
    """A host gave up a version that does not load there or fails. One row a version and host."""

    version = models.ForeignKey(
        ModelVersion, on_delete=models.CASCADE, related_name="serving_faults"
    )
    host = models.CharField(max_length=100)
    message = models.TextField()
    count = models.PositiveIntegerField(default=1, help_text="How often a process gave it up.")
    first_at = models.DateTimeField(db_default=Moment())
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "host"], name="one_serving_fault_a_version_a_host"
            )
        ]

    def __str__(self) -> str:
        return f"{self.version_id} on {self.host}: {self.message}"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a drawing is: a signed-in user's, or a browser's that has the visitor cookie."""

    user_id: int | None = None
    visitor: uuid.UUID | None = None

    @property
    def key(self) -> str:
        """Different for different owners; empty for none."""
        return str(self.visitor or "") if self.user_id is None else f"user {self.user_id}"


class PredictionQuerySet(models.QuerySet["Prediction"]):
    def owned_by(self, owner: Owner) -> Self:
        if owner.user_id is not None:
            return self.filter(user_id=owner.user_id)
        if owner.visitor is not None:
            return self.filter(visitor=owner.visitor)
        return self.none()

    def for_lists(self) -> Self:
        """With the version's name, without the pictures."""
        return self.select_related("version").defer("glyph", "version__card", "version__canary")

    def pictured(self) -> Self:
        """Those that still have their glyph; erased ones cannot be used to train or measure."""
        return self.filter(erased_at__isnull=True)

    def on_day(self, day: datetime.date) -> Self:
        return self.filter(day=day)

    def answered(self) -> Self:
        """Those a person has said something about."""
        return self.filter(feedback__isnull=False)

    def confirmed(self) -> Self:
        """Those a person has said are right."""
        return self.filter(feedback__digit=F("digit"))


class Prediction(models.Model):
    """One glyph and what one model version said about it.

    Never changed after it is stored, except by erasure, which removes picture, owner and id.
    """

    class Source(models.TextChoices):
        DRAW = "draw", "drawn on the page"
        UPLOAD = "upload", "uploaded on the page"
        API = "api", "sent by a program"
        BATCH = "batch", "sent by a program in a batch"
        DEMO = "demo", "made up by seed_demo"
        IMPORT = "import", "imported"

    # The primary key orders pages; people and programs see only the unguessable public_id.
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    version = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, related_name="predictions", db_index=False
    )
    digit = models.PositiveSmallIntegerField()
    confidence = models.FloatField()
    probabilities = PackedFloatsField(max_length=40)
    strangeness = models.FloatField(help_text="0 is surely a digit, 1 surely none.")
    glyph = models.BinaryField(help_text="28×28 gray PNG, white ink on black.")
    glyph_digest = models.UUIDField(help_text="First half of the SHA-256 of the glyph's pixels.")
    source = models.CharField(max_length=6, choices=Source)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="predictions",
        db_index=False,
    )
    visitor = models.UUIDField(null=True, blank=True)
    is_audit = models.BooleanField(default=False)
    audit_probability = models.FloatField(help_text="The chance it had of being audited.")
    created_at = models.DateTimeField(db_default=Moment())
    day = models.DateField(help_text="The day it was made on, in the configured time zone.")
    erased_at = models.DateTimeField(
        null=True, blank=True, help_text="Since then it has no picture, no owner and another id."
    )

    objects = PredictionQuerySet.as_manager()

    class Meta:
        # Many rows have no owner, so these indexes contain only rows that have one.
        indexes = [
            models.Index(
                fields=["user", "-id"], condition=Q(user__isnull=False), name="prediction_of_user"
            ),
            models.Index(
                fields=["visitor", "-id"],
                condition=Q(visitor__isnull=False),
                name="prediction_of_visitor",
            ),
            # With the source, so that imports are left out without reading their rows.
            models.Index(fields=["day", "-confidence", "source"], name="prediction_best_made_here"),
            models.Index(
                fields=["erased_at"], condition=Q(erased_at__isnull=False), name="prediction_erased"
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=holds_digit("digit"), name="prediction_is_a_digit"),
            models.CheckConstraint(
                condition=Q(confidence__gte=0, confidence__lte=1),
                name="prediction_confidence_is_a_probability",
            ),
            models.CheckConstraint(
                condition=Q(strangeness__gte=0, strangeness__lte=1),
                name="prediction_strangeness_from_0_to_1",
            ),
            models.CheckConstraint(
                condition=Q(audit_probability__gte=0, audit_probability__lte=1),
                name="prediction_audit_chance_is_a_probability",
            ),
        ]

    def __str__(self) -> str:
        return f"prediction {self.public_id}"  # labelers see it, so it must not contain the reading

    def get_absolute_url(self) -> str:
        return reverse("labeling:prediction", args=[self.public_id])

    @property
    def is_digit(self) -> bool:
        """Whether it is more likely a digit than not."""
        return self.strangeness < STRANGE

    @property
    def glyph_url(self) -> str:
        return reverse("predictions:glyph", args=[self.public_id])

    @property
    def drawing_url(self) -> str:
        return reverse("predictions:drawing", args=[self.public_id])


class Drawing(models.Model):
    """What the person made, re-encoded small; not in Prediction, so that its rows stay small."""

    prediction = models.OneToOneField(
        Prediction, on_delete=models.CASCADE, primary_key=True, related_name="drawing"
    )
    png = models.BinaryField()

    def __str__(self) -> str:
        return f"drawing of {self.prediction_id}"


class Feedback(models.Model):
    """What a visitor says the drawing is: a claim, not a label. Later feedback replaces it."""

    prediction = models.OneToOneField(Prediction, on_delete=models.CASCADE, primary_key=True)
    digit = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Empty when it is no digit."
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    visitor = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Moment())
    changed_at = models.DateTimeField(db_default=Moment())

    class Meta:
        verbose_name_plural = "feedback"
        # The labeling queue checks for new feedback every second.
        indexes = [models.Index(fields=["changed_at"], name="feedback_by_time")]
        constraints = [
            models.CheckConstraint(
                condition=Q(digit__isnull=True) | holds_digit("digit"), name="feedback_is_a_digit"
            ),
        ]

    def __str__(self) -> str:
        said = "not a digit" if self.digit is None else str(self.digit)
        return f"{said}, of {self.prediction_id}"


class RequestCount(models.Model):
    """How many requests one caller made in one minute, over all processes."""

    caller = models.CharField(max_length=100)
    minute = models.PositiveIntegerField(help_text="Minutes since 1970.")
    taken = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["caller", "minute"], name="one_count_a_caller_a_minute")
        ]

    def __str__(self) -> str:
        return f"{self.caller}: {self.taken}"


class PasswordReset(models.Model):
    """A request to reset a password; deleted once the mail is sent or no account is found."""

    mailbox = models.EmailField(help_text="As it was typed: there may be no such account.")
    site = models.CharField(max_length=300, help_text="Where the link leads.")
    asked_at = models.DateTimeField(db_default=Moment())
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(db_default=Moment())

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"asked at {self.asked_at:%H:%M}"


class Sighting(models.Model):
    """A host received requests that do not match PROXY_COUNT."""

    kind = models.CharField(max_length=20)
    host = models.CharField(max_length=100)
    count = models.PositiveIntegerField(default=1, help_text="Once an hour a process at most.")
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "host"], name="one_sighting_a_kind_a_host")
        ]

    def __str__(self) -> str:
        return f"{self.kind} on {self.host}"


class WorkerBeat(models.Model):
    """When a cluster of background workers last showed life, and last finished a job."""

    cluster = models.CharField(max_length=40)
    host = models.CharField(max_length=100)
    seen_at = models.DateTimeField(help_text="Its guard is alive.")
    worked_at = models.DateTimeField(null=True, help_text="A job went through it.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cluster", "host"], name="one_beat_a_cluster_a_host")
        ]

    def __str__(self) -> str:
        return f"{self.cluster} on {self.host}"


class TokenQuerySet(models.QuerySet["Token"]):
    def live(self) -> Self:
        """Neither expired nor revoked, by the database's clock."""
        return self.filter(revoked_at__isnull=True, expires_at__gt=Now())


class Token(models.Model):
    """What a program sends instead of a login. The secret itself is not stored."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tokens"
    )
    name = models.CharField(max_length=60)
    prefix = models.CharField(max_length=8, unique=True, help_text="To recognize it by; no secret.")
    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the secret.")
    scopes = models.CharField(max_length=60, help_text="What it may be used for, within the roles.")
    created_at = models.DateTimeField(db_default=Moment())
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="To the minute.")
    last_used_from = models.CharField(max_length=45, blank=True, help_text="An address.")

    objects = TokenQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "name"],
                condition=Q(revoked_at__isnull=True),
                name="one_unrevoked_token_of_a_name",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} (ink_{self.prefix}…)"

    @property
    def scope_list(self) -> list[str]:
        return self.scopes.split()

    @property
    def state(self) -> str:
        if self.revoked_at is not None:
            return "revoked"
        return "live" if self.expires_at > timezone.now() else "expired"


class KeptAnswer(models.Model):
    """The answer to a request with an idempotency key, kept to be sent again."""

    caller = models.CharField(max_length=80)
    key = models.CharField(max_length=100)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of what was asked for.")
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(blank=True)
    made_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["caller", "key"], name="one_answer_a_caller_a_key")
        ]

    def __str__(self) -> str:
        return f"{self.status} for {self.caller}"
