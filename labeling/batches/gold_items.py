"""Turn items with settled labels into gold, and gold back into ordinary items.

Items that two people read alike without the guess become gold by themselves. Each has one chance,
in the night after they agreed. Nothing is learned from gold, so there is little of it at a time,
and it ends when everybody who labels has answered it.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from labeling.batches.batches import AT_ONCE
from labeling.batches.bulk import left_alone_in_words
from labeling.batches.selections import ShownItems, as_shown
from labeling.errors import EmptySelection
from labeling.models import Gold, Intake, Label, LabelEvent, QueueItem, Skip
from labeling.queue.places import put_where_they_belong
from labeling.turns import in_turn, lock_items
from predictions.database import clock
from predictions.database.slices import chunks
from predictions.models import Prediction

SURE = 2  # people who agree
MOST = 200  # automatic gold items; the tokens of a page are compared with those of all gold
MOST_SHARE = 0.05  # of the settled labels
ACTIVE = timedelta(days=28)  # since the last answer of somebody who labels


@in_turn
def add_gold(
    shown: ShownItems, *, by: User | None, is_automatic: bool = False
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
        Gold(prediction_id=key, digit=settled[key], added_by=by, is_automatic=is_automatic)
        for key in fresh
    )
    for some in chunks(fresh, AT_ONCE):
        QueueItem.objects.filter(pk__in=some).update(is_parked=True, review_after=None)
        put_where_they_belong(some)
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
        put_where_they_belong(some)
    return removed


def surest(count: int, *, seed: int) -> QuerySet[Prediction]:
    """Draw at random among labels that two or more people agree on, equally for each digit."""
    agreed = Label.objects.settled().readable().filter(opinions__gte=SURE, prediction__gold=None)
    digits = digits_of(agreed)
    dice = random.Random(seed)  # noqa: S311  (a fair draw, no secret)
    chosen = draw_evenly(digits, agreed_blind(digits), count, dice, Counter())
    return Prediction.objects.filter(pk__in=chosen)


def digits_of(labels: QuerySet[Label]) -> dict[int, int]:
    found = labels.order_by("pk").values_list("pk", "digit")
    return {key: digit for key, digit in found if digit is not None}


def agreed_blind(digits: Mapping[int, int]) -> dict[int, set[int]]:
    """Return who read each item as this digit without seeing the guess.

    Items that fewer than SURE people read so, or that anybody read otherwise, are left out.
    """
    said: dict[int, set[int | None]] = defaultdict(set)
    blind: dict[int, set[int]] = defaultdict(set)
    for some in chunks(list(digits), AT_ONCE):
        opinions = LabelEvent.objects.opinions().standing().filter(prediction__in=some)
        for key, labeler, digit, guess_shown in opinions.values_list(
            "prediction_id", "labeler_id", "digit", "guess_shown"
        ):
            said[key].add(digit)
            if labeler is not None and not guess_shown:
                blind[key].add(labeler)
    return {
        key: people
        for key, people in blind.items()
        if len(people) >= SURE and said[key] == {digits[key]}
    }


def draw_evenly(
    digits: Mapping[int, int],
    keys: Iterable[int],
    count: int,
    dice: random.Random,
    have: Counter[int],
) -> list[int]:
    """Draw this many items at random, each time of the digit of which there are fewest."""
    by_digit: dict[int, list[int]] = defaultdict(list)
    for key in sorted(keys):
        by_digit[digits[key]].append(key)
    for some in by_digit.values():
        dice.shuffle(some)
    chosen: list[int] = []
    while by_digit and len(chosen) < count:
        digit = min(by_digit, key=lambda each: (have[each], each))
        chosen.append(by_digit[digit].pop())
        have[digit] += 1
        if not by_digit[digit]:
            del by_digit[digit]
    return chosen


# -- gold that comes and goes by itself ----------------------------------------------------------


def renew_gold(*, dice: random.Random | None = None) -> dict[str, int]:
    """Every night: end gold that has served or whose label changed, and add newly agreed items."""
    active = active_labelers()
    removed = remove_gold(sorted(overtaken() | answered_by(active)))
    added = add_agreed(active, dice or random.SystemRandom())
    return {"gold_removed": removed, "gold_added": added}


def active_labelers() -> set[int]:
    """People who answered an item in the last four weeks."""
    recent = LabelEvent.objects.filter(
        labeler=OuterRef("pk"), created_at__gte=clock.now() - ACTIVE, kind=LabelEvent.Kind.LABEL
    )
    return set(User.objects.filter(Exists(recent), is_active=True).values_list("pk", flat=True))


def overtaken() -> set[int]:
    """Gold whose label is no longer settled, or has another digit now."""
    known = Label.objects.settled().filter(pk=OuterRef("pk"), digit=OuterRef("digit"))
    return set(Gold.objects.filter(~Exists(known)).values_list("pk", flat=True))


def answered_by(people: set[int]) -> set[int]:
    """Automatic gold that all these people have answered or skipped; none if there are none."""
    if not people:
        return set()
    automatic = Gold.objects.filter(is_automatic=True)
    left = {key: set(people) for key in automatic.values_list("pk", flat=True)}
    among = automatic.values("pk")
    said = LabelEvent.objects.filter(kind=LabelEvent.Kind.LABEL, prediction__in=among).standing()
    seen = [*said.values_list("prediction_id", "labeler_id")]
    seen += Skip.objects.filter(prediction__in=among).values_list("prediction_id", "labeler_id")
    for key, labeler in seen:
        left[key].discard(labeler)
    return {key for key, others in left.items() if not others}


@in_turn
def add_agreed(active: set[int], dice: random.Random) -> int:
    """Give each item agreed on since the last time its chance; return how many became gold.

    Only items that somebody active has not answered can be gold. While there are none, as where
    only two people label, all items keep their chance.
    """
    if not settings.GOLD_FROM_AGREED:
        return 0
    intake, _ = Intake.objects.get_or_create(pk=1)
    last = LabelEvent.objects.aggregate(last=Max("pk"))["last"] or 0
    agreed = Label.objects.settled().readable().pictured().filter(opinions__gte=SURE)
    since = Q(event__gt=intake.last_gold, event__lte=last, prediction__gold=None)
    digits = digits_of(agreed.filter(since))
    askable = [key for key, people in agreed_blind(digits).items() if active - people]
    if not askable:
        return 0
    drawn = sum(dice.random() < settings.GOLD_FROM_AGREED for _ in askable)
    have = Counter(Gold.objects.values_list("digit", flat=True))
    chosen = draw_evenly(digits, askable, min(drawn, room_for_gold()), dice, have)
    added = 0
    if chosen:
        shown = as_shown(Prediction.objects.filter(pk__in=chosen))
        added, _ = add_gold(shown, by=None, is_automatic=True)
    Intake.objects.filter(pk=1, last_gold__lt=last).update(last_gold=last)
    return added


def room_for_gold() -> int:
    """How many more items may become gold by themselves."""
    settled = Label.objects.settled().readable().count()
    gold = Gold.objects.filter(is_automatic=True).count()
    return max(min(MOST, int(settled * MOST_SHARE)) - gold, 0)
