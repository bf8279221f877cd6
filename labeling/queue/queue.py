"""The shared queue: claim, keep, give back, skip. An item has one holder at a time.

A claim is one transaction. Claims run one after the other (on PostgreSQL by an advisory lock, on
SQLite because it has one writer), so that each sees the true head of every stream. A claim reads
and locks the rows a labeler may have. Then an UPDATE leases them; it repeats the conditions, and
its row count is checked.
"""

from __future__ import annotations

import hmac
import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Count, DurationField, ExpressionWrapper, F, Min, Q
from django.db.models.functions import Now

from labeling.errors import LeaseLost
from labeling.models import LabelEvent, QueueItem, Skip, Stream, Wanted
from labeling.queue import gold
from labeling.queue.choice import Candidate, hand_out
from labeling.queue.held import ANOTHER_LOOK, Held, as_held, new_token
from labeling.queue.places import NO_LEASE
from labeling.turns import in_turn, lock_items
from predictions.database.clock import Moment
from predictions.database.fields import adapted_uuid
from predictions.errors import NotThere
from predictions.models import Owner, Prediction

LEASE = timedelta(minutes=3)
AT_MOST = 20  # items leased by one call
SKIPS_BEFORE_REVIEW = 2


@dataclass(frozen=True, slots=True)
class Outlook:
    """The state of the queue when no item is free."""

    left: int
    held_by_others: int
    next_free_in: float | None  # seconds


@in_turn
def claim(
    labeler: User,
    *,
    count: int = 1,
    holding: Sequence[uuid.UUID] = (),
    page: uuid.UUID | None = None,
    priority_first: bool = False,
    visitor: uuid.UUID | None = None,
    dice: random.Random | None = None,
) -> list[Held]:
    """Lease the next items: first own leases that the page no longer shows, then free items.

    With `priority_first`, at most one of four new items has no priority, while any have.

    `holding` lists the items the page shows, in order; their leases do not change. Leases of the
    same `page` keep their tokens: a request that arrives after its own retry invalidates none.

    Nobody gets an audit of their own, also not of their browser's `visitor`: they saw the guess.
    """
    count = min(count, AT_MOST)
    dice = dice or random.Random()  # noqa: S311  (a fair mix, no secret)
    weave = dice.random() < settings.GOLD_RATE * count
    rows = candidates(labeler, count, len(holding), visitor=visitor, with_gold=weave)
    chosen, known = hand_out(rows, count, holding, dice, priority_first=priority_first)
    tokens = {row.prediction_id: row.token_for(page) for row in chosen}
    if lease(labeler, tokens) != len(tokens):  # locked rows cannot have changed
        raise LeaseLost("Somebody else took one of these items at the same moment.")
    shows = shows_guesses()
    held = [row.held(tokens[row.prediction_id], may_show_guess=shows) for row in chosen]
    for row in known:
        token = gold.new_gold_token(labeler.pk, row.prediction_id)
        held.insert(dice.randrange(len(held) + 1), row.held(token, may_show_guess=shows))
    return held


def shows_guesses() -> bool:
    """Whether labelers see guesses now: SHOW_GUESSES is set, and no item has priority.

    Items with priority are answered blind. If only they hid the guess, they could be told apart.
    """
    return settings.SHOW_GUESSES and not Wanted.objects.exists()


def lease(labeler: User, tokens: Mapping[int, uuid.UUID]) -> int:
    """Lease these items, each with its token, if nobody else holds them; return how many."""
    if not tokens:
        return 0
    end = POSTGRESQL_LEASE_END if on_postgresql() else SQLITE_LEASE_END
    now = POSTGRESQL_NOW if on_postgresql() else SQLITE_NOW
    own_token = " ".join(["WHEN %s THEN %s"] * len(tokens))
    keys = ", ".join(["%s"] * len(tokens))
    given = [each for key, token in tokens.items() for each in (key, adapted_uuid(token))]
    with connection.cursor() as cursor:
        cursor.execute(
            LEASED.format(own_token=own_token, keys=keys, end=end, now=now),
            [labeler.pk, *given, LEASE.total_seconds(), *tokens, labeler.pk],
        )
        return int(cursor.rowcount)


POSTGRESQL_NOW = "STATEMENT_TIMESTAMP()"
SQLITE_NOW = "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'now')"
POSTGRESQL_LEASE_END = "STATEMENT_TIMESTAMP() + MAKE_INTERVAL(secs => %s)"
SQLITE_LEASE_END = "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '+' || %s || ' seconds')"
LEASED = """
UPDATE labeling_queueitem SET holder_id = %s, token = CASE prediction_id {own_token} END,
  leased_until = {end}
WHERE prediction_id IN ({keys}) AND is_open
  AND (leased_until IS NULL OR leased_until <= {now} OR holder_id = %s)"""
# One subquery for each stream, so that each reads only the start of the index `queue_order`.
FREE = """
  SELECT * FROM (
    SELECT prediction_id, FALSE AS is_gold FROM labeling_queueitem AS item
    WHERE is_open AND stream = '{stream}' AND (leased_until IS NULL OR leased_until <= {now})
    {unseen} ORDER BY rank, prediction_id LIMIT %(reach)s) AS {stream}"""
# Conditions: this labeler has not skipped the item; has not answered it, or undid the answer.
NOT_SKIPPED = """AND NOT EXISTS (SELECT 1 FROM labeling_skip AS skip
      WHERE skip.prediction_id = item.prediction_id AND skip.labeler_id = %(labeler)s)"""
NOT_ANSWERED = """AND NOT EXISTS (SELECT 1 FROM labeling_labelevent AS event
      WHERE event.prediction_id = item.prediction_id AND event.labeler_id = %(labeler)s
      AND event.kind = 'label' AND NOT EXISTS (
        SELECT 1 FROM labeling_labelevent AS undo WHERE undo.reverses_id = event.id
        AND NOT EXISTS (
          SELECT 1 FROM labeling_labelevent AS redo WHERE redo.reverses_id = undo.id)))"""
NOT_OWN_AUDIT = """AND NOT (item.origin = 'audit' AND item.owner_key <> ''
      AND item.owner_key IN (%(user)s, %(visitor)s))"""
# Items with priority may be deep in their stream. SQLite keeps the table order of a CROSS JOIN;
# with another join it would scan all open items to find the few with priority.
WANTED = """
  SELECT * FROM (
    SELECT item.prediction_id, FALSE AS is_gold FROM labeling_wanted AS wish
    CROSS JOIN labeling_queueitem AS item
    WHERE item.prediction_id = wish.prediction_id AND item.is_open
    AND (item.leased_until IS NULL OR item.leased_until <= {now})
    {unseen} ORDER BY wish.rank LIMIT %(reach)s) AS wanted"""
# Checked after the row is locked: it may have been decided or leased since the subqueries ran.
TAKEABLE = """(arm.is_gold OR (q.is_open AND
  (q.leased_until IS NULL OR q.leased_until <= {now} OR q.holder_id = %(labeler)s)))"""
GOLD = """
  SELECT * FROM (
    SELECT item.prediction_id, TRUE AS is_gold FROM labeling_gold AS item
    WHERE TRUE {unseen} ORDER BY item.prediction_id LIMIT 1) AS gold"""
OWN = """
  SELECT * FROM (
    SELECT prediction_id, FALSE AS is_gold FROM labeling_queueitem
    WHERE holder_id = %(labeler)s AND is_open AND leased_until > {now} LIMIT %(reach)s) AS own"""
CANDIDATES = """
SELECT q.prediction_id, p.public_id, p.glyph, p.digit, q.stream, p.is_audit, q.owner_key,
  (q.leased_until > {now} AND q.holder_id = %(labeler)s) AS is_own, arm.is_gold, q.token, wish.rank
FROM ({arms}) AS arm JOIN labeling_queueitem AS q ON q.prediction_id = arm.prediction_id
JOIN predictions_prediction AS p ON p.id = q.prediction_id
LEFT JOIN labeling_wanted AS wish ON wish.prediction_id = q.prediction_id
WHERE {takeable}
ORDER BY q.rank, q.prediction_id {lock}"""
# Claims run one after the other. Otherwise a claim would find the head of the queue locked by
# another one, and get later items or none.
TURN = "SELECT pg_advisory_xact_lock(%(turn)s);"
TURN_KEY = 0x696E6B71  # any number that no other advisory lock uses


def candidates_sql(*, with_gold: bool) -> str:
    now = POSTGRESQL_NOW if on_postgresql() else SQLITE_NOW
    gold_arm = GOLD.format(unseen=NOT_SKIPPED + NOT_ANSWERED)
    arms = [OWN.format(now=now), *([gold_arm] if with_gold else [])]
    for stream in Stream.values:
        unseen = NOT_SKIPPED + NOT_OWN_AUDIT
        if stream in ANOTHER_LOOK:
            unseen += NOT_ANSWERED
        arms.append(FREE.format(stream=stream, now=now, unseen=unseen))
    arms.append(WANTED.format(now=now, unseen=NOT_SKIPPED + NOT_ANSWERED + NOT_OWN_AUDIT))
    turn, lock = (TURN, "FOR UPDATE OF q SKIP LOCKED") if on_postgresql() else ("", "")
    takeable = TAKEABLE.format(now=now)
    arm = " UNION ALL ".join(arms)
    return turn + CANDIDATES.format(now=now, arms=arm, takeable=takeable, lock=lock)


def on_postgresql() -> bool:
    return connection.vendor == "postgresql"


def as_uuid(stored: uuid.UUID | str) -> uuid.UUID:
    return stored if isinstance(stored, uuid.UUID) else uuid.UUID(stored)


def candidates(
    labeler: User,
    count: int,
    held: int,
    *,
    visitor: uuid.UUID | None = None,
    with_gold: bool = False,
) -> list[Candidate]:
    """Return the first free items of each stream and own leases; locked until commit."""
    given: dict[str, Any] = {
        "labeler": labeler.pk,
        "user": Owner(user_id=labeler.pk).key,
        "visitor": Owner(visitor=visitor).key,
        "reach": count * 2 + held + 4,
        "turn": TURN_KEY,
    }
    with connection.cursor() as cursor:
        cursor.execute(candidates_sql(with_gold=with_gold), given)
        rows = {row[0]: row for row in cursor.fetchall()}  # an item may match two subqueries
    return [candidate_from(row) for row in rows.values()]


def candidate_from(row: tuple) -> Candidate:
    key, public_id, glyph, guess, stream, audit, owner, own, known, token, wish_rank = row
    return Candidate(
        key, as_uuid(public_id), bytes(glyph), guess, stream, bool(audit), owner, bool(own),
        bool(known), as_uuid(token) if token else None, None if known else wish_rank,
    )  # fmt: skip


@in_turn
def keep(labeler: User, tokens: Sequence[uuid.UUID]) -> list[str]:
    """Extend the leases of a page that is still open; return the tokens that are valid now.

    A lease that has run out goes on if nobody took the item: a claim gives an item a new token.
    """
    own = QueueItem.objects.filter(token__in=tokens, holder=labeler)
    lock_items(own.values_list("pk", flat=True))
    own.filter(is_open=True).update(leased_until=Now() + LEASE)
    standing = set(own.filter(leased_until__gt=Now()).values_list("token", flat=True))
    if missing := set(tokens) - standing:
        standing |= gold.tokens_among(labeler.pk, missing)
    return sorted(str(token) for token in standing)


def still_held(labeler: User, public_id: uuid.UUID, token: uuid.UUID) -> Held | None:
    """Return the item leased with this token, to show it again; None if the lease has ended."""
    row = (
        QueueItem.objects.select_related("prediction")
        .annotate(is_standing=Q(holder=labeler, token=token, leased_until__gt=Now()), at=Moment())
        .filter(prediction__public_id=public_id)
        .first()
    )
    if row is None:
        return None
    is_held = row.is_standing or gold.is_token(labeler.pk, row.pk, token, at=row.at)
    return as_held(row, token, may_show_guess=shows_guesses()) if is_held else None


@in_turn
def hold_again(labeler: User, undoing: LabelEvent, page: uuid.UUID | None = None) -> Held | None:
    """Lease the item of an undone decision to the same labeler, unless somebody else has it."""
    key = undoing.prediction_id
    if LabelEvent.objects.filter(prediction=key, pk__gt=undoing.pk).exists():
        return None  # an old request, repeated: the item has newer events
    token = token_after(undoing, page)
    if undoing.reverses is not None and undoing.reverses.is_gold:
        token = gold.new_gold_token(labeler.pk, key)
    elif not lease(labeler, {key: token}):
        return None
    row = QueueItem.objects.select_related("prediction").filter(pk=key).first()
    if row is None:
        return None  # erased since
    return as_held(row, token, may_show_guess=shows_guesses())


def token_after(undoing: LabelEvent, page: uuid.UUID | None) -> uuid.UUID:
    """Compute one token for each undo, so that a repeated request does not change the token."""
    digest = hmac.digest(settings.SECRET_KEY.encode(), b"undo %d" % undoing.pk, "sha256")
    return new_token(page, digest)


@in_turn
def give_back(
    labeler: User, public_ids: Sequence[uuid.UUID], tokens: Sequence[uuid.UUID] | None = None
) -> int:
    """End the leases of a page that was closed.

    With `tokens`, only those leases end: a page opened meanwhile may have leased the items again.
    """
    own = QueueItem.objects.filter(prediction__public_id__in=public_ids, holder=labeler)
    if tokens is not None:
        own = own.filter(token__in=tokens)
    lock_items(own.values_list("pk", flat=True))
    return own.update(**NO_LEASE)


@in_turn
def skip(labeler: User, public_id: uuid.UUID, *, token: uuid.UUID) -> None:
    """Skip an item. This labeler does not get it again; an item skipped often goes to review."""
    found = Prediction.objects.only("pk").annotate(at=Moment())
    prediction = found.filter(public_id=public_id).first()
    if prediction is None:
        raise NotThere("There is no such item.")
    if gold.is_token(labeler.pk, prediction.pk, token, at=prediction.at):
        Skip.objects.get_or_create(prediction=prediction, labeler=labeler)
        return
    freed = QueueItem.objects.filter(
        prediction=prediction, holder=labeler, token=token, leased_until__gt=Now()
    ).update(**NO_LEASE, skips=F("skips") + 1)
    if not freed:
        raise LeaseLost("This item is no longer yours: the hold ran out or moved on.")
    Skip.objects.get_or_create(prediction=prediction, labeler=labeler)
    QueueItem.objects.filter(
        prediction=prediction,
        skips__gte=SKIPS_BEFORE_REVIEW,
        stream__in=[Stream.UNSURE, Stream.FEEDBACK],
    ).update(stream=Stream.REVIEW, review_after=0)


def outlook(labeler: User) -> Outlook:
    """Say why no item is free: how many are left and held, and when the next lease ends."""
    open_items = QueueItem.objects.filter(is_open=True)
    held = Q(leased_until__gt=Now()) & ~Q(holder=labeler)
    found = open_items.aggregate(
        left=Count("pk"),
        held=Count("pk", filter=held),
        free_in=ExpressionWrapper(
            Min("leased_until", filter=held) - Now(), output_field=DurationField()
        ),
    )
    free_in = found["free_in"]
    seconds = None if free_in is None else max(0.0, free_in.total_seconds())
    return Outlook(found["left"], found["held"], seconds)
