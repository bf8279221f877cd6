"""Counts derived from predictions and label events; all of them can be recomputed."""

from __future__ import annotations

from urllib.parse import parse_qsl

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q

from dashboard.axes import BINS, DAYS, DIGITS, LABELS
from dashboard.fields import CountsField
from dashboard.flow import ACTS
from predictions.database.clock import Moment
from predictions.models import ModelVersion, Prediction, holds_digit


class Mark(models.Model):
    """How far both logs are counted. One row, updated in the same transaction as the counts."""

    prediction = models.BigIntegerField(default=0, help_text="Every key up to it is counted.")
    event = models.BigIntegerField(default=0, help_text="Labels are counted as they stood then.")
    changes = models.BigIntegerField(default=0, help_text="How often the counts were written.")
    moved_at = models.DateTimeField(db_default=Moment())
    busy_until = models.DateTimeField(null=True, help_text="Somebody counts; others need not.")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="one_mark")]

    def __str__(self) -> str:
        return f"up to prediction {self.prediction} and event {self.event}"


class Cell(models.Model):
    """The number of drawings that share these values. MonthSums are sums of cells."""

    pk = models.CompositePrimaryKey(
        "day", "version", "predicted", "label", "bin", "stream", "source", "is_settled", "chance"
    )
    day = models.DateField(help_text="It was drawn on, in the configured time zone.")
    version = models.ForeignKey(
        ModelVersion, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    predicted = models.PositiveSmallIntegerField()
    label = models.PositiveSmallIntegerField(help_text="0 to 9, 10 unreadable, 11 none.")
    bin = models.PositiveSmallIntegerField(help_text="Of confidence: between which EDGES.")
    stream = models.CharField(
        max_length=8, blank=True, help_text="audit, or the stream of the label that stands."
    )
    source = models.CharField(max_length=6)
    is_settled = models.BooleanField()
    chance = models.PositiveIntegerField(help_text="Of being audited, in millionths.")
    count = models.BigIntegerField()
    confidence = models.BigIntegerField(help_text="Added up, in millionths.")

    class Meta:
        # For deleting cells whose count has become 0.
        indexes = [models.Index(fields=["day"], condition=Q(count=0), name="cell_emptied")]

    def __str__(self) -> str:
        return f"{self.count} read as {self.predicted} on {self.day}"


class MonthSums(models.Model):
    """Sums of one month's cells, as packed arrays: their size does not grow with the drawings."""

    month = models.DateField(help_text="Its first day.")
    version = models.ForeignKey(
        ModelVersion, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    source = models.CharField(max_length=6)
    stream = models.CharField(max_length=8, blank=True)
    chance = models.PositiveIntegerField()
    readings = CountsField(
        shape=(DIGITS, LABELS, 2), help_text="By predicted, label, and whether it is settled."
    )
    days = CountsField(
        shape=(DAYS, LABELS, 3), help_text="By day and label: drawings, read right, settled."
    )
    confidences = CountsField(shape=(DIGITS, BINS), help_text="By predicted and bin.")
    confidence = CountsField(
        shape=(DIGITS,), dtype="<i8", help_text="By predicted, added up, in millionths."
    )
    judged = CountsField(
        shape=(DIGITS, BINS, 2), help_text="By predicted and bin: labeled readable, read right."
    )
    judged_confidence = CountsField(
        shape=(DIGITS, BINS), dtype="<i8", help_text="Of the readable, added up, in millionths."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["stream", "month", "version", "source", "chance"], name="one_sum_of_a_month"
            )
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}, {self.stream or 'no stream'}"


class MonthFlow(models.Model):
    """Counts of what labelers did in a month, by day and act."""

    month = models.DateField(help_text="Its first day.")
    version = models.ForeignKey(
        ModelVersion, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    source = models.CharField(max_length=6)
    stream = models.CharField(max_length=8, blank=True, help_text="They were shown it from.")
    acts = CountsField(shape=(DAYS, len(ACTS)), help_text="By day and act.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["month", "version", "source", "stream"], name="one_flow_of_a_month"
            )
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}, {self.stream or 'no stream'}"


class Check(models.Model):
    """One comparison of the stored counts with a full recount."""

    made_at = models.DateTimeField(db_default=Moment())
    months = models.PositiveIntegerField(help_text="How many were looked at, the newest first.")
    of_months = models.PositiveIntegerField()
    differences = models.PositiveIntegerField(help_text="Rows that were not what they should be.")
    seconds = models.FloatField()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.differences} differences in {self.months} months"


class ReplayItem(models.Model):
    """An audited drawing with a readable label, which every version reads."""

    prediction = models.OneToOneField(
        Prediction, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    month = models.DateField(help_text="The first day of the month it was drawn in.")
    glyph_digest = models.UUIDField()
    digit = models.PositiveSmallIntegerField(help_text="Its label, whatever the label's state.")
    chance = models.FloatField(help_text="The chance it had of being audited.")

    class Meta:
        indexes = [
            models.Index(fields=["month"], name="replay_item_of_month"),
            models.Index(fields=["glyph_digest"], name="replay_item_of_glyph"),
        ]
        constraints = [
            models.CheckConstraint(condition=holds_digit("digit"), name="replay_item_is_a_digit")
        ]

    def __str__(self) -> str:
        return f"{self.prediction_id} is {self.digit}"


class ReplayReading(models.Model):
    """What a version reads in a glyph. Neither of them changes, so one reading is enough."""

    version = models.ForeignKey(
        ModelVersion, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    glyph_digest = models.UUIDField()
    digit = models.PositiveSmallIntegerField()
    confidence = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["glyph_digest", "version"], name="one_replay_reading_a_version_a_glyph"
            ),
            models.CheckConstraint(
                condition=holds_digit("digit"), name="replay_reading_is_a_digit"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.digit} by {self.version_id}"


class ReplayMonth(models.Model):
    """The number of changes to a month, and the number already counted; equal when up to date."""

    month = models.DateField(primary_key=True)
    changes = models.PositiveIntegerField(default=0)
    counted = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class MonthAuthors(models.Model):
    """Who drew a month's replay items, and how far one person's are read alike."""

    month = models.DateField(primary_key=True)
    counts = models.BinaryField(help_text="Packed rows of `cube.authors.AUTHOR`.")
    reading = models.JSONField(default=list, help_text="Sums for the likeness of one's drawings.")
    pairs = models.JSONField(default=list, help_text="The same, for differences of two versions.")

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class VersionAuthors(models.Model):
    """The people from whose drawings a version learned; not those of its ancestors."""

    version = models.OneToOneField(
        ModelVersion, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    authors = models.BinaryField(help_text="Their numbers, 8 bytes each.")

    def __str__(self) -> str:
        return f"{len(self.authors) // 8} people of {self.version_id}"


class MissingAudits(models.Model):
    """What became of a month's audits, except of those that nobody was shown yet."""

    month = models.DateField(primary_key=True)
    labeled = models.PositiveIntegerField(default=0, help_text="Not missing; to compare with.")
    skipped = models.PositiveIntegerField(default=0, help_text="Somebody passed it on.")
    expired = models.PositiveIntegerField(default=0, help_text="Handed out and not answered.")
    erased = models.PositiveIntegerField(default=0, help_text="Before it was labeled.")
    changed = models.PositiveIntegerField(
        default=0, help_text="Labeled, but an admin's word stands, who may have seen the guess."
    )

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class ReplayCell(models.Model):
    """One version's results on a month's audited drawings of one digit and one chance."""

    version = models.ForeignKey(
        ModelVersion, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    month = models.DateField()
    digit = models.PositiveSmallIntegerField()
    chance = models.PositiveIntegerField(
        db_default=0, help_text="Of being audited, in millionths; 0 until it is counted again."
    )
    n = models.PositiveIntegerField(help_text="Read, and never learned from.")
    right = models.PositiveIntegerField()
    # The release before reads these three; the next one removes them.
    weight = models.FloatField(help_text="Sum of 1 / chance over the n.")
    weight_right = models.FloatField(help_text="The same over those that were read right.")
    weight_squares = models.FloatField(help_text="Sum of the squares.")
    unseen = models.PositiveIntegerField(
        db_default=0, help_text="Of the n, by people whom the version never learned from."
    )
    unseen_right = models.PositiveIntegerField(db_default=0)
    learned = models.PositiveIntegerField(help_text="Left out: the version learned from them.")
    unread = models.PositiveIntegerField(help_text="Still to be read.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["month", "version", "digit", "chance"], name="one_replay_cell_a_stratum"
            ),
            models.CheckConstraint(condition=holds_digit("digit"), name="replay_cell_is_a_digit"),
            models.CheckConstraint(
                condition=Q(right__lte=F("n")), name="replay_cell_right_at_most_n"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.right} of {self.n}"


class ReplayPair(models.Model):
    """Two versions' results on a month's same audited drawings of one digit and one chance."""

    month = models.DateField()
    first = models.ForeignKey(
        ModelVersion, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    second = models.ForeignKey(
        ModelVersion, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    digit = models.PositiveSmallIntegerField()
    chance = models.PositiveIntegerField(
        db_default=0, help_text="Of being audited, in millionths; 0 until it is counted again."
    )
    n = models.PositiveIntegerField(help_text="Read by both, learned from by neither.")
    both = models.PositiveIntegerField(
        null=True, help_text="Both right; null until it is counted again."
    )
    better = models.PositiveIntegerField(help_text="The second right, the first wrong.")
    worse = models.PositiveIntegerField(help_text="The first right, the second wrong.")
    unseen = models.PositiveIntegerField(
        db_default=0, help_text="Of the n, by people whom neither version learned from."
    )
    unseen_better = models.PositiveIntegerField(db_default=0)
    unseen_worse = models.PositiveIntegerField(db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["first", "second", "month", "digit", "chance"],
                name="one_replay_pair_a_stratum",
            ),
            models.CheckConstraint(
                condition=Q(first__lt=F("second")), name="replay_pair_older_first"
            ),
        ]
        indexes = [models.Index(fields=["month"], name="replay_pair_of_month")]

    def __str__(self) -> str:
        return f"{self.better} better, {self.worse} worse of {self.n}"


class Replay(models.Model):
    """The state and progress of the replay. One row, which can be recomputed."""

    last_event = models.BigIntegerField(default=0, help_text="Label events taken in up to here.")
    complete_as = models.CharField(
        max_length=60, default="", help_text="What there was when nothing was left to do."
    )
    counts_made = models.PositiveBigIntegerField(
        default=0, help_text="How often a month was counted; equal numbers, equal figures."
    )
    alike = models.FloatField(
        db_default=0.0, help_text="Correlation of two drawings by one person: are both read right?"
    )
    alike_in_pairs = models.FloatField(
        db_default=0.0, help_text="The same: does the same one of two versions read both right?"
    )
    gold_answers = models.PositiveIntegerField(db_default=0)
    gold_wrong = models.PositiveIntegerField(db_default=0, help_text="Of the answers to gold.")
    readings_done = models.PositiveIntegerField(default=0)
    readings_wanted = models.PositiveIntegerField(default=0)
    problems = models.JSONField(default=dict, help_text="Why a version could not be asked.")
    rung_at = models.DateTimeField(null=True, help_text="A job was asked for and has not begun.")
    worked_at = models.DateTimeField(db_default=Moment())

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="one_replay")]

    def __str__(self) -> str:
        return f"{self.readings_done} of {self.readings_wanted} readings"


class DigitMap(models.Model):
    """A layout of drawings in two dimensions, computed from one version's features."""

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+")
    made_at = models.DateTimeField(db_default=Moment())
    last_event = models.BigIntegerField(help_text="Labels as they stood after this event.")
    method = models.CharField(max_length=80, help_text="How, in words, with its settings.")
    audits = models.PositiveIntegerField(help_text="Drawings chosen at random.")
    others = models.PositiveIntegerField(help_text="Drawings labeled for another reason.")
    problem = models.TextField(blank=True, help_text="Why there is no map, or empty.")

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.audits + self.others:,} drawings as {self.version.name} sees them"


class MapPoint(models.Model):
    """The position of one drawing on the map, and what the chart shows about it."""

    map = models.ForeignKey(DigitMap, on_delete=models.CASCADE, related_name="points")
    prediction = models.ForeignKey(
        Prediction, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    x = models.FloatField()
    y = models.FloatField()
    label = models.PositiveSmallIntegerField()
    read = models.PositiveSmallIntegerField(help_text="By the map's version.")
    confidence = models.FloatField()
    is_audit = models.BooleanField()
    source = models.CharField(max_length=6)
    day = models.DateField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["map", "prediction"], name="one_map_point_a_drawing"),
            models.CheckConstraint(
                condition=holds_digit("label") & holds_digit("read"), name="map_point_is_of_digits"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label} at {self.x:.2f}, {self.y:.2f}"


class Demo(models.Model):
    """The demo history in this database, and what its removal restores. One row."""

    seed = models.BigIntegerField()
    drawings = models.PositiveIntegerField()
    first = models.DateTimeField()
    until = models.DateTimeField()
    made_at = models.DateTimeField(db_default=Moment())
    before = models.JSONField(encoder=DjangoJSONEncoder, help_text="What its removal puts back.")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="one_demo")]

    def __str__(self) -> str:
        return f"{self.drawings} drawings, seed {self.seed}"


class DemoJob(models.Model):
    """The demo as it is being made for somebody who pressed a button, or why it failed. One row."""

    stage = models.CharField(max_length=60)
    progress = models.FloatField(default=0, help_text="0 to 1.")
    reason = models.TextField(blank=True, help_text="Why it failed, in words.")
    changed_at = models.DateTimeField(db_default=Moment())

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="one_demo_job")]

    def __str__(self) -> str:
        return f"{self.stage}, {self.progress:.0%}"


class RReport(models.Model):
    """A set of the dashboard's charts drawn by R: requested on a page, drawn by a worker."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    ACTIVE = (State.QUEUED, State.RUNNING)

    state = models.CharField(max_length=7, choices=State, default=State.QUEUED)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    asked_at = models.DateTimeField(db_default=Moment())
    changed_at = models.DateTimeField(db_default=Moment())
    query = models.CharField(max_length=500, blank=True, help_text="The filters, as an address.")
    progress = models.FloatField(default=0, help_text="0 to 1.")
    reason = models.TextField(blank=True, help_text="Why it failed, in words.")

    class Meta:
        ordering = ["-pk"]
        permissions = [("draw_in_r", "Can have the dashboard drawn in R")]
        constraints = [
            models.UniqueConstraint(
                models.Value(1),
                condition=Q(state__in=["queued", "running"]),
                name="one_active_r_report",
            )
        ]

    def __str__(self) -> str:
        return f"R report {self.pk} ({self.state})"

    @property
    def is_active(self) -> bool:
        return self.state in self.ACTIVE

    def filters(self) -> dict[str, str]:
        return dict(parse_qsl(self.query))


class RChart(models.Model):
    """One picture of a report. It is a row because hosts share only the database."""

    class Kind(models.TextChoices):
        PNG = "png", "image/png"
        PDF = "pdf", "application/pdf"

    report = models.ForeignKey(RReport, on_delete=models.CASCADE, related_name="charts")
    place = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=3, choices=Kind)
    content = models.BinaryField()

    class Meta:
        ordering = ["place"]
        constraints = [
            models.UniqueConstraint(
                fields=["report", "name", "kind"], name="one_chart_of_a_name_and_kind_a_report"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}.{self.kind}"
