"""What somebody was shown to act on, and whether each item still stands as it was shown.

Between the look at thousands of items and the act on them, others go on working. An act takes the
items that were shown, none that came under the filter since, and of these only the ones that
nobody has decided or said anything about meanwhile; the rest it leaves alone and counts.
"""

from __future__ import annotations

import uuid
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from labeling.batches.batches import locked_items
from labeling.errors import Gone
from labeling.models import Selection
from labeling.turns import among_keys
from predictions.models import Prediction

KEPT_FOR = timedelta(hours=1)  # by the database's clock
CHANGED = "changed since they were shown"
ERASED = "erased"

# One number for what stands: the newest event, which grows with each, and what the visitor said.
# Answers to gold count as nobody's opinion.
STANDS = """
SELECT p.id, COALESCE(e.newest, 0) * 16 + CASE WHEN f.prediction_id IS NULL THEN 0
  ELSE COALESCE(f.digit, 10) + 1 END
FROM predictions_prediction AS p
LEFT JOIN (
  SELECT prediction_id, MAX(id) AS newest FROM labeling_labelevent
  WHERE prediction_id {among} AND NOT is_gold GROUP BY prediction_id
) AS e ON e.prediction_id = p.id
LEFT JOIN predictions_feedback AS f ON f.prediction_id = p.id
WHERE p.id {among} ORDER BY p.id"""


@dataclass(frozen=True, slots=True)
class Shown:
    """Items, by their keys, and what stood about each when it was shown."""

    stood: Mapping[int, int]

    def __len__(self) -> int:
        return len(self.stood)

    def unchanged(self) -> tuple[list[int], dict[str, int]]:
        """Those that still stand so, locked from now on; how many do not, and why."""
        keys = locked_items(list(self.stood))
        stands = what_stands(keys)
        same = [key for key in keys if stands[key] == self.stood[key]]
        return same, {CHANGED: len(keys) - len(same), ERASED: len(self) - len(keys)}


def as_shown(selection: QuerySet[Prediction]) -> Shown:
    """The selection as it is now, to be shown or acted on."""
    return Shown(what_stands(selection.order_by().values_list("pk", flat=True)))


def what_stands(keys: Iterable[int]) -> dict[int, int]:
    among, given = among_keys(list(keys))
    with connection.cursor() as cursor:
        cursor.execute(STANDS.format(among=among), [given, given])
        return dict(cursor.fetchall())


# -- from the page that shows it to the act ------------------------------------------------------


def keep_shown(shown: Shown, *, owner: User, chosen_by: Mapping[str, Any]) -> Selection:
    """Keep what is shown on a page, for whoever it is shown to."""
    Selection.objects.exclude(pk__in=fresh().values("pk")).delete()
    stood = dict(sorted(shown.stood.items()))
    return Selection.objects.create(
        owner=owner, chosen_by=chosen_by,
        keys=array("q", stood).tobytes(), stood=array("q", stood.values()).tobytes(),
    )  # fmt: skip


def fresh() -> QuerySet[Selection]:
    return Selection.objects.filter(shown_at__gt=Now() - KEPT_FOR)


def kept(selection: uuid.UUID, *, owner: User) -> Selection:
    """What this person was shown."""
    found = fresh().filter(pk=selection, owner=owner).first()
    if found is None:
        raise used_up()
    return found


def used_up() -> Gone:
    return Gone("What was shown was acted on already, or more than an hour ago. Look again.")


def shown_in(selection: Selection) -> Shown:
    keys, stood = array("q", bytes(selection.keys)), array("q", bytes(selection.stood))
    return Shown(dict(zip(keys, stood, strict=True)))


def use_up(selection: Selection) -> Shown:
    """For one act; a second press of the button waits for the first, and finds nothing."""
    deleted, _ = Selection.objects.filter(pk=selection.pk).delete()
    if not deleted:
        raise used_up()
    return shown_in(selection)
