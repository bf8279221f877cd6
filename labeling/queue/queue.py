"""The shared queue: claim, keep, give back, pass on. One item has one holder at a time.

The claim is one transaction. Claims take turns (PostgreSQL by a lock of their own, SQLite because
it lets one writer in at a time), so that every one of them sees the true head of each stream. The
rows a labeler may have are read and locked, then leased by an UPDATE that names its premise again
and whose row count is looked at.
"""

from __future__ import annotations

import hmac
import os
import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Count, DurationField, ExpressionWrapper, F, Min, Q
from django.db.models.functions import Now

from labeling.errors import LeaseLost
from labeling.models import LabelEvent, QueueItem, Skip, Stream, Wanted
from labeling.queue import gold
from labeling.turns import in_turn, lock_items
from predictions.database.clock import Moment
from predictions.errors import NotThere
from predictions.models import Prediction

LEASE = timedelta(minutes=3)
AT_MOST = 20  # items leased by one call
SKIPS_BEFORE_REVIEW = 2
ANOTHER_LOOK = {Stream.SECOND, Stream.REVIEW}
MARK = 6  # bytes of a token that say which page holds it; the rest is chance
WANTED_SHARE = 0.5  # of what is handed out while something is wanted; the rest follows the mix


@dataclass(frozen=True, slots=True)
class Held:
    """An item in a labeler's hands, with everything needed to show it and to explain why."""

    prediction_id: int
    public_id: uuid.UUID
    glyph: bytes
    guess: int
    confidence: float
    stream: str
    score: float
    selection_probability: float | None
    is_audit: bool
    token: uuid.UUID
    wanted: str = ""  # why it is shown sooner than its stream would

    @property
    def why(self) -> str:
        """Why it is shown, in words for whoever labels it."""
        reason = str(Stream(self.stream).label)
        return f"{reason}; {self.wanted}" if self.wanted else reason

    @property
    def shown_guess(self) -> int | None:
        """The guess, in verify mode alone; an audit and another look are blind in any mode."""
        is_blind = self.is_audit or self.stream in ANOTHER_LOOK
        return self.guess if settings.SHOW_GUESSES and not is_blind else None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is left when nothing can be had at once."""

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
    dice: random.Random | None = None,
) -> list[Held]:
    """Lease the next items: first those of one's own that the page no longer knows, then new ones.

    `holding` names what the page still shows, the last one last; it stays as it is. What the same
    `page` holds keeps its token: a question that comes late, after it was asked again, voids none.
    """
    count = min(count, AT_MOST)
    dice = dice or random.Random()  # noqa: S311  (a fair mix, no secret)
    weave = dice.random() < settings.GOLD_RATE * count
    rows = candidates(labeler, count, len(holding), with_gold=weave)
    shown = [row for row in rows if row.public_id in set(holding)]
    fresh = [row for row in rows if row.public_id not in set(holding)]
    last = [row for row in shown if row.public_id == holding[-1]]
    chosen = choose([row for row in fresh if not row.is_gold], count, dice, last)
    known = [row for row in fresh if row.is_gold and chosen]
    chosen = chosen[: count - len(known)]
    tokens = {row.prediction_id: row.token_for(page) for row in chosen}
    if lease(labeler, tokens) != len(tokens):  # what is locked cannot have changed
        raise LeaseLost("Somebody else took one of these items at the same moment.")
    held = [row.held(tokens[row.prediction_id]) for row in chosen]
    for row in known:
        token = gold.new_token(labeler.pk, row.prediction_id)
        held.insert(dice.randrange(len(held) + 1), row.held(token))
    return held


def new_token(page: uuid.UUID | None = None, rest: bytes = b"") -> uuid.UUID:
    """A token that nobody can guess, or with `rest` one that can be made again; it bears a mark."""
    mark = page.bytes[:MARK] if page else b""
    return uuid.UUID(bytes=(mark + (rest or os.urandom(16)))[:16], version=4)


def lease(labeler: User, tokens: Mapping[int, uuid.UUID]) -> int:
    """Hold these items, each by a token of its own, where nobody else does; how many it got."""
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


@dataclass(frozen=True, slots=True)
class Candidate:
    prediction_id: int
    stream: str
    score: float
    selection_probability: float | None
    owner_key: str
    is_own: bool
    is_gold: bool
    public_id: uuid.UUID
    glyph: bytes
    guess: int
    confidence: float
    is_audit: bool
    token: uuid.UUID | None = None  # of the hold it is in, or was in last
    wanted: str = ""
    wish_rank: float = 0.0  # among what is wanted; smallest first

    def token_for(self, page: uuid.UUID | None) -> uuid.UUID:
        """The one it has where this very page holds it, else a new one, which ends the old hold."""
        if page and self.is_own and self.token and self.token.bytes[:MARK] == page.bytes[:MARK]:
            return self.token
        return new_token(page)

    def held(self, token: uuid.UUID) -> Held:
        return Held(
            self.prediction_id,
            self.public_id,
            self.glyph,
            self.guess,
            self.confidence,
            self.stream,
            self.score,
            self.selection_probability,
            self.is_audit,
            token,
            self.wanted,
        )


POSTGRESQL_NOW = "STATEMENT_TIMESTAMP()"
SQLITE_NOW = "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'now')"
POSTGRESQL_LEASE_END = "STATEMENT_TIMESTAMP() + MAKE_INTERVAL(secs => %s)"
SQLITE_LEASE_END = "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '+' || %s || ' seconds')"
LEASED = """
UPDATE labeling_queueitem SET holder_id = %s, token = CASE prediction_id {own_token} END,
  leased_until = {end}
WHERE prediction_id IN ({keys}) AND is_open
  AND (leased_until IS NULL OR leased_until <= {now} OR holder_id = %s)"""
# One arm a stream keeps each stream's order with one short walk along the index `queue_order`.
FREE = """
  SELECT * FROM (
    SELECT prediction_id, FALSE AS is_gold FROM labeling_queueitem AS item
    WHERE is_open AND stream = '{stream}' AND (leased_until IS NULL OR leased_until <= {now})
    {unseen} ORDER BY rank, prediction_id LIMIT %(reach)s) AS {stream}"""
# Opinions are asked of people who have not given theirs; a passed-on item does not come back.
NOT_SKIPPED = """AND NOT EXISTS (SELECT 1 FROM labeling_skip AS skip
      WHERE skip.prediction_id = item.prediction_id AND skip.labeler_id = %(labeler)s)"""
NOT_ANSWERED = """AND NOT EXISTS (SELECT 1 FROM labeling_labelevent AS event
      WHERE event.prediction_id = item.prediction_id AND event.labeler_id = %(labeler)s
      AND event.kind = 'label' AND NOT EXISTS (
        SELECT 1 FROM labeling_labelevent AS undo WHERE undo.reverses_id = event.id
        AND NOT EXISTS (
          SELECT 1 FROM labeling_labelevent AS redo WHERE redo.reverses_id = undo.id)))"""
# What is wanted may lie deep in its stream. A cross join is one that SQLite leaves in its order:
# it would walk all open items to find the few wanted ones among them.
WANTED = """
  SELECT * FROM (
    SELECT item.prediction_id, FALSE AS is_gold FROM labeling_wanted AS wish
    CROSS JOIN labeling_queueitem AS item
    WHERE item.prediction_id = wish.prediction_id AND item.is_open
    AND (item.leased_until IS NULL OR item.leased_until <= {now})
    {unseen} ORDER BY wish.rank LIMIT %(reach)s) AS wanted"""
# What has been decided or kept since the arms were read is seen here, after the lock is taken.
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
SELECT q.prediction_id, q.stream, q.score, q.selection_probability, q.owner_key,
  (q.leased_until > {now} AND q.holder_id = %(labeler)s) AS is_own,
  arm.is_gold, p.public_id, p.glyph, p.digit, p.confidence, p.is_audit, q.token,
  wish.why, wish.rank
FROM ({arms}) AS arm JOIN labeling_queueitem AS q ON q.prediction_id = arm.prediction_id
JOIN predictions_prediction AS p ON p.id = q.prediction_id
LEFT JOIN labeling_wanted AS wish ON wish.prediction_id = q.prediction_id
WHERE {takeable}
ORDER BY q.rank, q.prediction_id {lock}"""
# Without a turn of its own a claim would find the head of the queue locked by another, and take
# what lies behind it or nothing at all.
TURN = "SELECT pg_advisory_xact_lock(%(turn)s);"
TURN_KEY = 0x696E6B71  # any number nobody else locks


def candidates_sql(*, with_gold: bool) -> str:
    now = POSTGRESQL_NOW if on_postgresql() else SQLITE_NOW
    gold_arm = GOLD.format(unseen=NOT_SKIPPED + NOT_ANSWERED)
    arms = [OWN.format(now=now), *([gold_arm] if with_gold else [])]
    for stream in Stream.values:
        unseen = NOT_SKIPPED
        if stream in ANOTHER_LOOK:
            unseen += NOT_ANSWERED
        arms.append(FREE.format(stream=stream, now=now, unseen=unseen))
    arms.append(WANTED.format(now=now, unseen=NOT_SKIPPED + NOT_ANSWERED))
    turn, lock = (TURN, "FOR UPDATE OF q SKIP LOCKED") if on_postgresql() else ("", "")
    takeable = TAKEABLE.format(now=now)
    arm = " UNION ALL ".join(arms)
    return turn + CANDIDATES.format(now=now, arms=arm, takeable=takeable, lock=lock)


def on_postgresql() -> bool:
    return connection.vendor == "postgresql"


def adapted_uuid(value: uuid.UUID) -> uuid.UUID | str:
    return value if connection.features.has_native_uuid_field else value.hex


def as_uuid(stored: uuid.UUID | str) -> uuid.UUID:
    return stored if isinstance(stored, uuid.UUID) else uuid.UUID(stored)


def candidates(labeler: User, count: int, held: int, *, with_gold: bool = False) -> list[Candidate]:
    """The first free items of each stream, and those one holds already; locked until commit."""
    given = {"labeler": labeler.pk, "reach": count * 2 + held + 4, "turn": TURN_KEY}
    with connection.cursor() as cursor:
        cursor.execute(candidates_sql(with_gold=with_gold), given)
        rows = {row[0]: row for row in cursor.fetchall()}  # a wanted one heads its stream too
    return [candidate_from(row) for row in rows.values()]


def candidate_from(row: tuple) -> Candidate:
    key, stream, score, probability, owner, own, known, public_id, glyph, *rest = row
    digit, confidence, audit, token, wanted, wish_rank = rest
    return Candidate(
        key, stream, score, probability, owner, bool(own), bool(known), as_uuid(public_id),
        bytes(glyph), digit, confidence, bool(audit), as_uuid(token) if token else None,
        "" if known else wanted or "", wish_rank or 0.0,
    )  # fmt: skip


def choose(
    rows: list[Candidate], count: int, dice: random.Random, last: Sequence[Candidate] = ()
) -> list[Candidate]:
    """Own ones first; then streams by the set mix, in order within each, writers spread.

    Half of the time what is wanted comes before the mix, in the order of the wish, from whichever
    stream that is open.
    `last` is what the labeler sees just before these, if anything.
    """
    own = [row for row in rows if row.is_own][:count]
    waiting = {
        stream: [row for row in rows if row.stream == stream and not row.is_own]
        for stream in Stream.values
        if settings.QUEUE_MIX[stream] > 0
    }
    chosen = own
    while len(chosen) < count and any(waiting.values()):
        wanted = [row for left in waiting.values() for row in left if row.wanted]
        wanted.sort(key=lambda row: row.wish_rank)
        if wanted and dice.random() < WANTED_SHARE:
            row = next_of(wanted, chosen[-1:] or last)
            waiting[row.stream].remove(row)
            chosen.append(row)
            continue
        streams = [stream for stream, left in waiting.items() if left]
        weights = [settings.QUEUE_MIX[stream] for stream in streams]
        (stream,) = dice.choices(streams, weights=weights)
        chosen.append(next_of(waiting[stream], chosen[-1:] or last))
    return chosen


def next_of(waiting: list[Candidate], last: Sequence[Candidate]) -> Candidate:
    """The first of the stream, or the one behind it when the first is by the same writer."""
    for at, row in enumerate(waiting[:2]):
        if not last or not row.owner_key or row.owner_key != last[0].owner_key:
            return waiting.pop(at)
    return waiting.pop(0)


@in_turn
def keep(labeler: User, tokens: Sequence[uuid.UUID]) -> list[str]:
    """The page is still open: hold on to what it shows. Which holds still stand."""
    own = QueueItem.objects.filter(token__in=tokens, holder=labeler)
    lock_items(own.values_list("pk", flat=True))
    own.filter(leased_until__gt=Now()).update(leased_until=Now() + LEASE)
    standing = set(own.filter(leased_until__gt=Now()).values_list("token", flat=True))
    if missing := set(tokens) - standing:
        standing |= gold.tokens_among(labeler.pk, missing)
    return sorted(str(token) for token in standing)


def still_held(labeler: User, public_id: uuid.UUID, token: uuid.UUID) -> Held | None:
    """The item this token holds, to be shown again; None once the hold is over."""
    row = (
        QueueItem.objects.select_related("prediction")
        .annotate(is_standing=Q(holder=labeler, token=token, leased_until__gt=Now()), at=Moment())
        .filter(prediction__public_id=public_id)
        .first()
    )
    if row is None:
        return None
    is_held = row.is_standing or gold.is_token(labeler.pk, row.pk, token, at=row.at)
    return as_held(row, token) if is_held else None


@in_turn
def hold_again(labeler: User, undoing: LabelEvent, page: uuid.UUID | None = None) -> Held | None:
    """The item of a decision just taken back, in the same hands, unless somebody else has it."""
    key = undoing.prediction_id
    if LabelEvent.objects.filter(prediction=key, pk__gt=undoing.pk).exists():
        return None  # the answer to an old request, asked for again
    token = token_after(undoing, page)
    if undoing.reverses is not None and undoing.reverses.is_gold:
        token = gold.new_token(labeler.pk, key)
    elif not lease(labeler, {key: token}):
        return None
    row = QueueItem.objects.select_related("prediction").filter(pk=key).first()
    return as_held(row, token) if row else None  # erased since


def token_after(undoing: LabelEvent, page: uuid.UUID | None) -> uuid.UUID:
    """One token for one undo: the same request, still on its way twice, cannot void its answer."""
    digest = hmac.digest(settings.SECRET_KEY.encode(), b"undo %d" % undoing.pk, "sha256")
    return new_token(page, digest)


def as_held(row: QueueItem, token: uuid.UUID) -> Held:
    return Held(
        row.pk,
        row.prediction.public_id,
        bytes(row.prediction.glyph),
        row.prediction.digit,
        row.prediction.confidence,
        row.stream,
        row.score,
        row.selection_probability,
        row.prediction.is_audit,
        token,
        Wanted.objects.filter(pk=row.pk).values_list("why", flat=True).first() or "",
    )


@in_turn
def give_back(
    labeler: User, public_ids: Sequence[uuid.UUID], tokens: Sequence[uuid.UUID] | None = None
) -> int:
    """The page is gone: what it held is free at once.

    With `tokens` only those holds end: a page that opened meanwhile may hold the same items anew.
    """
    own = QueueItem.objects.filter(prediction__public_id__in=public_ids, holder=labeler)
    if tokens is not None:
        own = own.filter(token__in=tokens)
    lock_items(own.values_list("pk", flat=True))
    return own.update(holder=None, token=None, leased_until=None)


@in_turn
def skip(labeler: User, public_id: uuid.UUID, *, token: uuid.UUID) -> None:
    """Pass an item on. It does not come back to this labeler; often skipped, it goes to review."""
    found = Prediction.objects.only("pk").annotate(at=Moment())
    prediction = found.filter(public_id=public_id).first()
    if prediction is None:
        raise NotThere("There is no such item.")
    if gold.is_token(labeler.pk, prediction.pk, token, at=prediction.at):
        Skip.objects.get_or_create(prediction=prediction, labeler=labeler)
        return
    freed = QueueItem.objects.filter(
        prediction=prediction, holder=labeler, token=token, leased_until__gt=Now()
    ).update(holder=None, token=None, leased_until=None, skips=F("skips") + 1)
    if not freed:
        raise LeaseLost("This item is no longer yours: the hold ran out or moved on.")
    Skip.objects.get_or_create(prediction=prediction, labeler=labeler)
    QueueItem.objects.filter(
        prediction=prediction,
        skips__gte=SKIPS_BEFORE_REVIEW,
        stream__in=[Stream.UNSURE, Stream.FEEDBACK],
    ).update(stream=Stream.REVIEW, review_after=0)


def outlook(labeler: User) -> Outlook:
    """Why there is nothing at once: what is left, who holds it, when the next comes free."""
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
