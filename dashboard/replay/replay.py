"""Every version reads the audited drawings of every month; each version reads a glyph once.

One version over several months shows whether the drawings got easier. Several versions over one
month show whether the model got better. Items follow the label events, and readings are stored by
version and glyph. The counts of a month are recomputed when something in it changes, so a corrected
label needs a recount and no forward pass.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from django.db import transaction
from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet, Sum
from django_q.tasks import async_task
from numpy.typing import NDArray

from dashboard.models import (
    Replay,
    ReplayItem,
    ReplayMonth,
    ReplayReading,
    VersionAuthors,
)
from dashboard.replay.month_counts import recount
from labeling.models import Label, LabelEvent
from predictions.database.append_only import complete_until, highest_key
from predictions.database.clock import Moment
from predictions.database.slices import chunks
from predictions.glyphs.glyph import decode_glyph
from predictions.models import ModelVersion, Prediction
from predictions.months import month_of
from predictions.serving.network import Network, UnsoundWeights
from predictions.serving.recognizer import load_version
from training.trials.shadow import probabilities

logger = logging.getLogger(__name__)

GLYPHS_AT_ONCE = 500  # in one forward pass, whose activations take about 50 MB
EVENTS_AT_ONCE = 20_000
SLICE = 20.0  # seconds of one task, so that other tasks are not kept waiting
RING_LOST = timedelta(minutes=5)  # after this a task that has not begun is enqueued again
ERASED_WITHIN = timedelta(days=1)  # erasures are looked for from this long before the last work


@dataclass(frozen=True, slots=True)
class Progress:
    """The number of readings done, of those wanted."""

    done: int
    wanted: int

    @property
    def is_complete(self) -> bool:
        return self.done >= self.wanted


# -- the task -----------------------------------------------------------------------------------


def replay_for(seconds: float = SLICE) -> Progress:
    """Update the items, read for `seconds`, recount changed months. Safe to kill at any time."""
    until = time.monotonic() + seconds
    state, _ = Replay.objects.get_or_create(pk=1)
    update_from_events()
    leave_out_erased(state)
    signature = signature_now()
    if state.complete_as == signature:
        return Progress(state.readings_done, state.readings_wanted)
    problems = read_until(until)
    recount()
    progress = progress_now(problems)
    Replay.objects.filter(pk=1).update(
        readings_done=progress.done,
        readings_wanted=progress.wanted,
        problems=problems,
        complete_as=signature if progress.is_complete else "",
        worked_at=Moment(),
    )
    logger.info("replay: %s of %s readings", progress.done, progress.wanted)
    return progress


def signature_now() -> str:
    """A text that changes with every changed item and every new version."""
    changes = ReplayMonth.objects.aggregate(all=Sum("changes"))["all"] or 0
    versions = ModelVersion.objects.aggregate(last=Max("pk"), all=Count("pk"))
    return f"{changes} changes, {versions['all']} versions to {versions['last']}"


def progress_now(problems: Iterable[str]) -> Progress:
    """The progress, without versions whose weights cannot be loaded."""
    asked = ModelVersion.objects.exclude(name__in=problems)
    glyphs = ReplayItem.objects.aggregate(all=Count("glyph_digest", distinct=True))["all"]
    still = ReplayItem.objects.filter(glyph_digest=OuterRef("glyph_digest"))
    done = ReplayReading.objects.filter(Exists(still), version__in=asked).count()
    return Progress(done, glyphs * asked.count())


def enqueue_part() -> bool:
    """Enqueue a task unless one is waiting; inside a transaction it is enqueued on commit."""
    Replay.objects.get_or_create(pk=1)
    free = Q(rung_at__isnull=True) | Q(rung_at__lt=Moment() - RING_LOST)
    if not Replay.objects.filter(free, pk=1).update(rung_at=Moment()):
        return False
    async_task("dashboard.tasks.replay", task_name="replay")
    return True


def answer_bell() -> None:
    """Note that the task has begun, so that the next may be enqueued."""
    Replay.objects.filter(pk=1).update(rung_at=None)


def is_due() -> bool:
    """Whether a task would find work."""
    state = Replay.objects.filter(pk=1).first()
    if state is None or not state.complete_as:
        return True
    if highest_key(LabelEvent) > state.last_event:
        return True
    return erased_items(state).exists() or state.complete_as != signature_now()


def rebuild_items() -> None:
    """Make the items again from the logs. Readings are kept, because they cannot change.

    The counts are kept until each month is recounted, so that pages are never empty.
    """
    with transaction.atomic():
        Replay.objects.get_or_create(pk=1)
        Replay.objects.select_for_update().get(pk=1)
        touch(ReplayMonth.objects.values_list("month", flat=True))
        ReplayItem.objects.all().delete()
        VersionAuthors.objects.all().delete()
        Replay.objects.filter(pk=1).update(last_event=0, complete_as="")


# -- which drawings -----------------------------------------------------------------------------


def update_from_events() -> int:
    """Update the items from new label events; return how many changed. Each step commits."""
    changed = 0
    until = complete_until(LabelEvent, Replay.objects.get(pk=1).last_event)
    while True:
        with transaction.atomic():
            state = Replay.objects.select_for_update().get(pk=1)
            if state.last_event >= until:
                return changed
            last = min(until, state.last_event + EVENTS_AT_ONCE)
            events = LabelEvent.objects.filter(pk__gt=state.last_event, pk__lte=last)
            audited = events.filter(prediction__is_audit=True).order_by()
            changed += update_items(sorted(set(audited.values_list("prediction_id", flat=True))))
            state.last_event = last
            state.save(update_fields=["last_event"])


def erased_items(state: Replay) -> QuerySet[ReplayItem]:
    """Items whose drawing was erased after ERASED_WITHIN before the last work."""
    since = state.worked_at - ERASED_WITHIN
    return ReplayItem.objects.filter(prediction__erased_at__gte=since)


def leave_out_erased(state: Replay) -> int:
    """Remove items whose drawing was erased, since later versions cannot read it; the number."""
    digests = dict(erased_items(state).values_list("pk", "glyph_digest"))
    if not digests:
        return 0
    with transaction.atomic():
        update_items(sorted(digests))
        shown = ReplayItem.objects.filter(glyph_digest=OuterRef("glyph_digest"))
        readings = ReplayReading.objects.filter(glyph_digest__in=set(digests.values()))
        readings.filter(~Exists(shown)).delete()
    return len(digests)


def update_items(keys: Sequence[int]) -> int:
    """Update the items of these predictions from their labels; return how many changed."""
    touched: list[date] = []
    for some in chunks(keys, GLYPHS_AT_ONCE):
        before = ReplayItem.objects.in_bulk(some)
        now = {item.pk: item for item in items_by_label(some)}
        gone = before.keys() - now.keys()
        new = [
            item
            for key, item in now.items()
            if key not in before or item.digit != before[key].digit
        ]
        ReplayItem.objects.filter(pk__in=gone).delete()
        ReplayItem.objects.bulk_create(
            new, update_conflicts=True, unique_fields=["prediction"], update_fields=["digit"]
        )
        touched += [item.month for item in (*(before[key] for key in gone), *new)]
    touch(touched)
    return len(touched)


def items_by_label(keys: Sequence[int]) -> Iterator[ReplayItem]:
    labels = Label.objects.audited().readable().pictured().filter(pk__in=keys)
    for key, digit, day, digest, chance in labels.values_list(
        "pk",
        "digit",
        "prediction__day",
        "prediction__glyph_digest",
        "prediction__audit_probability",
    ):
        assert digit is not None  # labels are filtered by readable()
        yield ReplayItem(
            prediction_id=key,
            digit=digit,
            month=month_of(day),
            glyph_digest=digest,
            chance=chance,
        )


def touch(months: Iterable[date]) -> None:
    """Mark these months for a recount."""
    months = set(months)
    ReplayMonth.objects.bulk_create(
        [ReplayMonth(month=month) for month in sorted(months)], ignore_conflicts=True
    )
    ReplayMonth.objects.filter(month__in=months).update(changes=F("changes") + 1)


# -- readings -----------------------------------------------------------------------------------


def read_until(until: float) -> dict[str, str]:
    """Read unread glyphs until then; return versions that cannot be loaded, with the reason."""
    problems = {}
    for version in ModelVersion.objects.only("name").order_by("-pk"):
        try:
            read_with(version, until)
        except UnsoundWeights as fault:
            problems[version.name] = str(fault)
            logger.warning("replay: model version %s cannot be asked: %s", version.pk, fault)
    return problems


def read_with(version: ModelVersion, until: float) -> None:
    """Let one version read its unread glyphs, newest drawings first."""
    network: Network | None = None
    while time.monotonic() < until and (unread := unread_by(version)):
        network = network or load_version(version.pk).network
        glyphs = np.stack(glyphs_of_predictions(list(unread.values())))
        store_readings(version, list(unread), probabilities(network, glyphs))


def unread_by(version: ModelVersion) -> dict[uuid.UUID, int]:
    """Digests of unread glyphs, at most GLYPHS_AT_ONCE, each with a prediction that has it."""
    read = ReplayReading.objects.filter(version=version, glyph_digest=OuterRef("glyph_digest"))
    waiting = ReplayItem.objects.filter(~Exists(read)).order_by("-prediction")[:GLYPHS_AT_ONCE]
    return dict(waiting.values_list("glyph_digest", "prediction_id"))


def glyphs_of_predictions(keys: Sequence[int]) -> list[NDArray[np.uint8]]:
    """The glyphs of these predictions, in the same order."""
    found = dict(Prediction.objects.filter(pk__in=keys).values_list("pk", "glyph"))
    return [decode_glyph(bytes(found[key])) for key in keys]


@transaction.atomic
def store_readings(
    version: ModelVersion, digests: Sequence[uuid.UUID], said: NDArray[np.float32]
) -> None:
    """Store the readings; those another process has stored meanwhile are equal and are ignored."""
    digits, sure = said.argmax(axis=1).tolist(), said.max(axis=1).tolist()
    ReplayReading.objects.bulk_create(
        [
            ReplayReading(version=version, glyph_digest=digest, digit=digit, confidence=confidence)
            for digest, digit, confidence in zip(digests, digits, sure, strict=True)
        ],
        ignore_conflicts=True,
    )
    shown = ReplayItem.objects.filter(glyph_digest__in=digests)
    touch(shown.order_by().values_list("month", flat=True).distinct())
