"""Reading the two append-only logs: predictions and label events, up to a mark."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from django.db import connection
from django.db.models import (
    BigIntegerField,
    Case,
    Count,
    F,
    FloatField,
    IntegerField,
    Model,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Cast, Floor

from dashboard.axes import BINS, EDGES, MILLION, NO_STREAM, UNLABELED, millionths
from dashboard.cube.tally import AUDIT, Drawn, Key
from dashboard.flow import CountedEvent
from labeling.models import LabelEvent
from labeling.turns import among_keys
from predictions.database.append_only import PATIENCE, complete_until
from predictions.models import Prediction


@dataclass(frozen=True, slots=True)
class LogMarks:
    """The last counted key of each log."""

    prediction: int = 0
    event: int = 0

    def covers(self, other: LogMarks) -> bool:
        return self.prediction >= other.prediction and self.event >= other.event


# -- how far the logs can be read ----------------------------------------------------------------


def bounds(since: LogMarks, *, patience: float = PATIENCE) -> LogMarks:
    """Keys up to which both logs are complete; never below `since`."""
    return LogMarks(
        complete_until(Prediction, since.prediction, patience=patience),
        complete_until(LabelEvent, since.event, patience=patience),
    )


def helping(log: type[Model], since: int, until: int, count: int) -> int:
    """The last key of the next `count` rows."""
    keys = log._default_manager.filter(pk__gt=since, pk__lte=until).order_by("pk")
    last = keys.values_list("pk", flat=True)[count - 1 : count]
    return next(iter(last), until)


# -- predictions ---------------------------------------------------------------------------------


def unlabeled(**among: Any) -> Iterator[tuple[Key, int, int]]:
    """(cell, drawings, sum of confidence) of these predictions, all taken as unlabeled."""
    edges = [When(confidence__lt=edge, then=Value(at)) for at, edge in enumerate(EDGES[1:-1])]
    rounded = Floor(F("confidence") * Value(float(MILLION)) + Value(0.5), output_field=FloatField())
    groups = (
        Prediction.objects.filter(**among)
        .order_by()
        .annotate(bin=Case(*edges, default=Value(BINS - 1), output_field=IntegerField()))
        .values_list("day", "version_id", "digit", "bin", "source", "is_audit", "audit_probability")
        .annotate(count=Count("pk"), confidence_sum=Sum(Cast(rounded, BigIntegerField())))
    )
    for day, version, digit, bin_, source, is_audit, chance, count, confidence in groups:
        stream = AUDIT if is_audit else NO_STREAM
        key = Key(day, version, digit, UNLABELED, bin_, stream, source, False, millionths(chance))
        yield key, count, int(confidence)


DRAWN = """
SELECT id, day, version_id, digit, confidence, source, is_audit, audit_probability
FROM predictions_prediction WHERE id {among}"""


def drawn_rows(keys: Iterable[int]) -> dict[int, Drawn]:
    among, given = among_keys(list(keys))
    with connection.cursor() as cursor:
        cursor.execute(DRAWN.format(among=among), [given])
        rows = cursor.fetchall()
    return {row[0]: Drawn._make(row) for row in rows}


# -- label events --------------------------------------------------------------------------------

TOLD = """
SELECT id, kind, digit, is_unreadable, labeler_id, visitor, wants_second, is_gold, reverses_id,
  prediction_id, stream, created_at
FROM labeling_labelevent WHERE {among} AND id <= %s ORDER BY id"""
History = dict[int, list[CountedEvent]]  # events by prediction id, oldest first


def predictions_with_events(since: int, until: int) -> list[int]:
    """Ids of the predictions with events after `since` and up to `until`."""
    events = LabelEvent.objects.filter(pk__gt=since, pk__lte=until).order_by()
    return list(events.values_list("prediction_id", flat=True).distinct())


def event_rows(keys: Iterable[int], *, until: int) -> History:
    among, given = among_keys(list(keys))
    return event_histories(TOLD.format(among=f"prediction_id {among}"), [given, until])


def told_between(first: int, last: int, *, until: int) -> History:
    """Events, up to `until`, of the predictions after `first` and up to `last`."""
    among = "prediction_id > %s AND prediction_id <= %s"
    return event_histories(TOLD.format(among=among), [first, last, until])


def event_histories(sql: str, given: list[Any]) -> History:
    found: defaultdict[int, list[CountedEvent]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        for event in map(CountedEvent._make, cursor.fetchall()):
            found[event.prediction_id].append(event)
    return found


def local_day(at: datetime, zone: tzinfo) -> date:
    """The day in this zone. Raw SQL on SQLite returns times in UTC, without a zone."""
    return at.replace(tzinfo=at.tzinfo or UTC).astimezone(zone).date()
