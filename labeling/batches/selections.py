"""Items shown for a bulk action, and whether each is still as it was shown.

Other people work on while somebody looks at thousands of items. The action takes only items that
were shown, not items that match the filter since. Of these, it takes only items without a new
decision or feedback; it counts the others.
"""

from __future__ import annotations

import uuid
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Count, QuerySet
from django.db.models.functions import Now

from labeling.batches.batches import AT_ONCE, locked_items
from labeling.errors import Gone
from labeling.models import Selection
from labeling.turns import among_keys
from predictions.database.slices import chunks
from predictions.models import Prediction

KEPT_FOR = timedelta(hours=1)  # by the database's clock
CHANGED = "changed since they were shown"
ERASED = "erased"

# The state of an item as one number: 16 times its newest event's id plus a code of the feedback.
# Answers to gold items do not count.
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
class ShownItems:
    """Items by key, with the state of each when it was shown."""

    stood: Mapping[int, int]

    def __len__(self) -> int:
        return len(self.stood)

    def unchanged(self) -> tuple[list[int], dict[str, int]]:
        """Lock the items; return those still as shown, and how many are not and why."""
        keys = locked_items(list(self.stood))
        stands = what_stands(keys)
        same = [key for key in keys if stands[key] == self.stood[key]]
        return same, {CHANGED: len(keys) - len(same), ERASED: len(self) - len(keys)}


def as_shown(selection: QuerySet[Prediction]) -> ShownItems:
    """Return the selected items with their current states."""
    return ShownItems(what_stands(selection.order_by().values_list("pk", flat=True)))


def what_stands(keys: Iterable[int]) -> dict[int, int]:
    among, given = among_keys(list(keys))
    with connection.cursor() as cursor:
        cursor.execute(STANDS.format(among=among), [given, given])
        return dict(cursor.fetchall())


@dataclass(frozen=True, slots=True)
class SelectionSummary:
    """What stands about the items shown: how many have each label, and how many are audits."""

    labels: list[tuple[str, int]]  # the most frequent first
    audits: int
    unanswered: int  # audits that only a labeler may answer first
    disagreeing: int  # labels that differ from the guess


def selection_summary(shown: ShownItems) -> SelectionSummary:
    labels: Counter[str] = Counter()
    audits = unanswered = disagreeing = 0
    for some in chunks(sorted(shown.stood), AT_ONCE):
        rows = Prediction.objects.filter(pk__in=some).order_by()
        fields = ("label__digit", "label__is_unreadable", "digit", "is_audit")
        for digit, is_unreadable, guess, is_audit, count in rows.values_list(*fields).annotate(
            Count("pk")
        ):
            word = "no label" if is_unreadable is None else str(digit)
            labels["unreadable" if is_unreadable else word] += count
            audits += count * is_audit
            unanswered += count * (is_audit and is_unreadable is None)
            disagreeing += count * (is_unreadable is not None and digit != guess)
    return SelectionSummary(labels.most_common(), audits, unanswered, disagreeing)


# -- between the page and the action -------------------------------------------------------------


def keep_shown(shown: ShownItems, *, owner: User, chosen_by: Mapping[str, Any]) -> Selection:
    """Store the items shown on a page, for the user who sees it."""
    Selection.objects.exclude(pk__in=fresh().values("pk")).delete()
    stood = dict(sorted(shown.stood.items()))
    return Selection.objects.create(
        owner=owner, chosen_by=chosen_by,
        keys=array("q", stood).tobytes(), stood=array("q", stood.values()).tobytes(),
    )  # fmt: skip


def fresh() -> QuerySet[Selection]:
    return Selection.objects.filter(shown_at__gt=Now() - KEPT_FOR)


def kept(selection: uuid.UUID, *, owner: User) -> Selection:
    """Return a selection that was shown to this user."""
    found = fresh().filter(pk=selection, owner=owner).first()
    if found is None:
        raise used_up()
    return found


def used_up() -> Gone:
    return Gone("What was shown was acted on already, or more than an hour ago. Select it again.")


def shown_in(selection: Selection) -> ShownItems:
    keys, stood = array("q", bytes(selection.keys)), array("q", bytes(selection.stood))
    return ShownItems(dict(zip(keys, stood, strict=True)))


def use_up(selection: Selection) -> ShownItems:
    """Delete the selection, so that one action uses it; a second click waits and is refused."""
    deleted, _ = Selection.objects.filter(pk=selection.pk).delete()
    if not deleted:
        raise used_up()
    return shown_in(selection)
