"""Turn items with settled labels into gold, and gold back into ordinary items."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Exists, F, OuterRef, QuerySet

from labeling.batches.batches import AT_ONCE, restate_many
from labeling.batches.bulk import left_alone_in_words
from labeling.batches.selections import Shown
from labeling.errors import EmptySelection
from labeling.models import Gold, Label, QueueItem
from labeling.turns import in_turn, lock_items
from predictions.database.clock import Moment
from predictions.database.slices import chunks
from predictions.models import Prediction

SURE = 2  # opinions that agree


@in_turn
def add_gold(
    shown: Shown, *, by: User | None, at: datetime | None = None
) -> tuple[int, dict[str, int]]:
    """Turn items with settled labels into gold; return how many, and why others were left alone.

    All labelers answer gold. Answers to it are no opinions and are never trained on.
    """
    keys, left = shown.unchanged()
    already: set[int] = set()
    settled: dict[int, int] = {}
    for some in chunks(keys, AT_ONCE):
        already |= set(Gold.objects.filter(pk__in=some).values_list("pk", flat=True))
        rows = Label.objects.settled().readable().filter(pk__in=some)
        found = rows.values_list("pk", "digit")
        settled |= {key: digit for key, digit in found if digit is not None}
    fresh = sorted(settled.keys() - already)
    left |= {
        "gold already": len(already),
        "without a settled digit": len(keys) - len(fresh) - len(already),
    }
    if not fresh:
        raise EmptySelection("Nothing selected can be gold. " + left_alone_in_words(left))
    Gold.objects.bulk_create(
        Gold(prediction_id=key, digit=settled[key], added_by=by, added_at=at or Moment())
        for key in fresh
    )
    for some in chunks(fresh, AT_ONCE):
        QueueItem.objects.filter(pk__in=some).update(
            is_parked=True, review_after=None, is_open=False, stream=F("origin"),
            holder=None, token=None, leased_until=None,
        )  # fmt: skip
    return len(fresh), left


@in_turn
def remove_gold(keys: list[int]) -> int:
    """Turn gold into ordinary items; answers given while they were gold stay gold answers."""
    lock_items(keys)
    removed, _ = Gold.objects.filter(pk__in=keys).delete()
    earlier = QueueItem.objects.filter(glyph_digest=OuterRef("glyph_digest"), pk__lt=OuterRef("pk"))
    for some in chunks(sorted(keys), AT_ONCE):
        items = QueueItem.objects.filter(pk__in=some)
        items.filter(~Exists(earlier)).update(is_parked=False)
        items.filter(is_parked=False, prediction__label=None).update(is_open=True)
        restate_many(some)
    return removed


def surest(count: int, *, seed: int = 0) -> QuerySet[Prediction]:
    """Draw at random among labels that two or more people agree on, equally for each digit."""
    by_digit: dict[int, list[int]] = defaultdict(list)
    agreed = Label.objects.settled().readable().filter(opinions__gte=SURE, prediction__gold=None)
    for key, digit in agreed.order_by("pk").values_list("pk", "digit"):
        assert digit is not None  # readable() excludes None
        by_digit[digit].append(key)
    dice = random.Random(seed)  # noqa: S311  (a fair draw, no secret)
    for keys in by_digit.values():
        dice.shuffle(keys)
    chosen: list[int] = []
    while len(chosen) < count and any(by_digit.values()):
        for digit in sorted(by_digit):
            if by_digit[digit] and len(chosen) < count:
                chosen.append(by_digit[digit].pop())
    return Prediction.objects.filter(pk__in=chosen)
