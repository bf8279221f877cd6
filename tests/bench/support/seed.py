"""An installation of its own for a bench, with as many predictions and events as it asks for.

Rows are made inside the database, by one statement a table that both databases understand.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from predictions.glyphs.glyph import encode_glyph
from tests.migrated import fresh_postgresql, prepare

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SAMPLES = 365  # different glyphs, one for each day of a year
PAST_LABELERS = 40  # who made the history; those of the bench come to it fresh


@dataclass(frozen=True, slots=True)
class Installation:
    env: dict[str, str]
    database: str  # in words


@contextlib.contextmanager
def installation(database_url: str | None) -> Iterator[Installation]:
    """A folder, a fresh database (on the server that was named, or SQLite) and Django set up."""
    with contextlib.ExitStack() as at_end:
        folder = at_end.enter_context(tempfile.TemporaryDirectory(prefix="inkloop-bench-"))
        url = f"sqlite:///{folder}/bench.sqlite3"
        if not database_url:
            prepare(Path(folder), "bench.sqlite3")
        else:
            url = at_end.enter_context(fresh_postgresql(database_url))
        env = {"DATA_DIR": folder, "DATABASE_URL": url, "LOG_LEVEL": "ERROR"}
        os.environ.update(env, DJANGO_SETTINGS_MODULE="config.settings")
        import django
        from django.core.management import call_command
        from django.db import connection

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("install_base", stdout=io.StringIO())
        at_end.callback(connection.close)
        yield Installation(env, "PostgreSQL" if database_url else "SQLite")


# -- people ------------------------------------------------------------------------------------


def make_labelers(count: int, *, prefix: str = "labeler") -> list[User]:
    from django.contrib.auth.models import Group, User

    made = [User(username=f"{prefix}{at}", password="!") for at in range(count)]
    users = User.objects.bulk_create(made)
    through = User.groups.through
    role = Group.objects.get(name="labeler")
    through.objects.bulk_create([through(user_id=user.pk, group_id=role.pk) for user in users])
    return users


def sign_in(user: User) -> str:
    """A session as a login makes it; its key."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "predictions.access.accounts.RoleBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return str(session.session_key)


# -- rows --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Amounts:
    labeled: int  # predictions with a label, closed
    waiting: int  # predictions in the queue, in every stream
    events: int  # label events of the labeled ones, at least one each

    @property
    def predictions(self) -> int:
        return self.labeled + self.waiting


@contextlib.contextmanager
def filling(*names: str) -> Iterator[Any]:
    """A cursor within a transaction, while these tables keep no index: made anew at the end, an
    index costs a fraction of keeping it through every row."""
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # No look-up of each foreign key either; the rows are made to fit.
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("SET LOCAL maintenance_work_mem = '512MB'")
        indexes = [each for name in names for each in indexes_of(cursor, name)]
        for name, _ in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        yield cursor
        for _, made in indexes:
            cursor.execute(made)


def indexes_of(cursor: Any, table: str) -> list[tuple[str, str]]:
    """Each index that is no constraint's: its name, and the statement that makes it."""
    from django.db import connection

    if connection.vendor == "postgresql":
        cursor.execute(
            "SELECT c.relname, pg_get_indexdef(i.indexrelid) FROM pg_index AS i"
            " JOIN pg_class AS c ON c.oid = i.indexrelid"
            " LEFT JOIN pg_constraint AS k ON k.conindid = i.indexrelid"
            " WHERE i.indrelid = CAST(%s AS regclass) AND k.oid IS NULL",
            [table],
        )
    else:
        cursor.execute(
            "SELECT name, sql FROM sqlite_master"
            " WHERE type = 'index' AND tbl_name = %s AND sql IS NOT NULL",
            [table],
        )
    return list(cursor.fetchall())


NUMBERS = "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) "
PREDICTIONS = """
INSERT INTO predictions_prediction (id, public_id, version_id, digit, confidence, probabilities,
  strangeness, glyph, glyph_digest, source, visitor, is_audit, audit_probability, created_at, day)
{numbers} SELECT i, {uuid_of_i}, {version}, s.digit, s.confidence, s.probabilities, 0.1, s.glyph,
  {uuid_of_i}, 'draw', {uuid_of_writer}, i % 20 = 0, 0.05, s.created_at, s.day
FROM n JOIN bench_sample AS s ON s.k = i % 365"""
# What waits: of twenty one is audited, three had feedback, one waits for a second opinion, one for
# review, fourteen are only unsure. What is labeled is closed.
STREAM = (
    "CASE WHEN i % 20 = 0 THEN 'audit' WHEN i <= {labeled} THEN 'unsure' WHEN i % 20 <= 3 THEN"
    " 'feedback' WHEN i % 20 = 4 THEN 'second' WHEN i % 20 = 5 THEN 'review' ELSE 'unsure' END"
)
PLACES = """
INSERT INTO labeling_queueitem (prediction_id, origin, stream, rank, score, selection_probability,
  is_open, is_parked, review_after, glyph_digest, owner_key, skips, digit)
{numbers} SELECT i, CASE WHEN i % 20 = 0 THEN 'audit' WHEN i > {labeled} AND i % 20 <= 3 THEN
  'feedback' ELSE 'unsure' END, {stream}, CASE WHEN i % 20 = 0 THEN i * 1.0
  ELSE (CAST(i AS BIGINT) * 7919 % 1000003) / 1000003.0 END, 0.5,
  CASE WHEN i % 20 = 0 THEN 0.05 END,
  i > {labeled}, {false}, CASE WHEN i > {labeled} AND i % 20 = 5 THEN 0 END, {uuid_of_i},
  CAST(i % 5000 AS VARCHAR(40)), 0, s.digit
FROM n JOIN bench_sample AS s ON s.k = i % 365"""
EVENTS = """
INSERT INTO labeling_labelevent (id, prediction_id, kind, digit, is_unreadable, labeler_id,
  created_at, stream, score, version_id, guess_shown, seconds, wants_second, is_gold)
{numbers} SELECT i, {prediction}, 'label', s.digit, {false},
  {first_labeler} + ({prediction} + i / {labeled}) % 40, s.created_at, 'unsure', 0.5, {version},
  {false}, 1.5, {wants_second}, {false}
FROM n JOIN bench_sample AS s ON s.k = {prediction} % 365"""
LABELS = """
INSERT INTO labeling_label (prediction_id, digit, is_unreadable, state, opinions, event_id)
{numbers} SELECT i, s.digit, {false}, '{state}', {opinions}, {event}
FROM n JOIN bench_sample AS s ON s.k = i % 365 WHERE {among}"""
FEEDBACK = """
INSERT INTO predictions_feedback (prediction_id, digit, created_at, changed_at)
{numbers} SELECT i, (s.digit + i % 2) % 10, s.created_at, s.created_at
FROM n JOIN bench_sample AS s ON s.k = i % 365 WHERE i % 20 BETWEEN 1 AND 3"""


FILLED = (
    "predictions_prediction", "predictions_feedback", "labeling_queueitem", "labeling_labelevent",
    "labeling_label",
)  # fmt: skip


def fill(amounts: Amounts) -> None:
    """Everything there is to label and everything that was labeled, set by set."""
    from django.db import connection

    from labeling.models import Intake

    past = make_labelers(PAST_LABELERS, prefix="past")
    with filling(*FILLED) as cursor:
        make_samples(cursor)
        for statement in statements(amounts, first_labeler=past[0].pk):
            cursor.execute(statement)
        cursor.execute("DROP TABLE bench_sample")
        reset_sequences(cursor)
        Intake.objects.create(
            pk=1, last_prediction=amounts.predictions, last_feedback_at=datetime.now(UTC)
        )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def statements(amounts: Amounts, *, first_labeler: int) -> Iterator[str]:
    from predictions.models import ModelVersion

    labeled, all_of_them = amounts.labeled, amounts.predictions
    common = {**dialect(), "labeled": labeled, "first_labeler": first_labeler}
    common["version"] = ModelVersion.objects.live().get().pk

    def made(template: str, first: int, last: int, **given: Any) -> str:
        numbers = NUMBERS.format(first=first, last=last)
        return template.format(numbers=numbers, **common, **given)

    yield made(PREDICTIONS, 1, all_of_them)
    yield made(PLACES, 1, all_of_them, stream=STREAM.format(labeled=labeled))
    said = f"((i - 1) % {labeled} + 1)"
    yield made(EVENTS, 1, amounts.events, prediction=said, wants_second=common["false"])
    last = f"(i + {labeled} * (({amounts.events} - i) / {labeled}))"
    opinions = f"(({amounts.events} - i) / {labeled} + 1)"
    yield made(LABELS, 1, labeled, state="settled", opinions=opinions, event=last, among="1 = 1")
    # The items that wait for a second opinion, every twentieth of what waits, have had their first.
    first = labeled + (4 - labeled) % 20
    seconds = (all_of_them - first) // 20
    asked = f"({first} + (i - {amounts.events + 1}) * 20)"
    event_first, event_last = amounts.events + 1, amounts.events + 1 + seconds
    yield made(EVENTS, event_first, event_last, prediction=asked, wants_second=common["true"])
    event = f"({event_first} + (i - {first}) / 20)"
    yield made(
        LABELS, first, first + 20 * seconds,
        state="awaiting", opinions=1, event=event, among="i % 20 = 4",
    )  # fmt: skip
    yield made(FEEDBACK, labeled + 1, all_of_them)


def dialect() -> dict[str, Any]:
    from django.db import connection

    if connection.vendor == "postgresql":
        return {
            "uuid_of_i": "CAST(LPAD(TO_HEX(i), 32, '0') AS UUID)",
            "uuid_of_writer": "CAST(LPAD(TO_HEX(i % 5000), 32, '0') AS UUID)",
            "false": "FALSE",
            "true": "TRUE",
        }
    return {
        "uuid_of_i": "PRINTF('%032x', i)",
        "uuid_of_writer": "PRINTF('%032x', i % 5000)",
        "false": "0",
        "true": "1",
    }


def make_samples(cursor: Any) -> None:
    from django.db import connection

    from predictions.database.fields import pack_floats

    blob = "BYTEA" if connection.vendor == "postgresql" else "BLOB"
    moment = "TIMESTAMPTZ" if connection.vendor == "postgresql" else "TEXT"
    cursor.execute(
        "CREATE TABLE bench_sample (k INTEGER PRIMARY KEY, digit INTEGER, confidence FLOAT,"
        f" probabilities {blob}, glyph {blob}, created_at {moment}, day DATE)"
    )
    dice = np.random.default_rng(0)
    for k in range(SAMPLES):
        probabilities = dice.dirichlet(np.full(10, 0.1)).astype(np.float32)
        glyph = encode_glyph(strokes(dice))
        at = datetime.now(UTC) - timedelta(days=SAMPLES - k)
        row = [
            k, int(probabilities.argmax()), float(probabilities.max()),
            connection.Database.Binary(pack_floats(probabilities.tolist())),
            connection.Database.Binary(glyph),
            connection.ops.adapt_datetimefield_value(at),
            connection.ops.adapt_datefield_value(at.date()),
        ]  # fmt: skip
        cursor.execute(f"INSERT INTO bench_sample VALUES ({', '.join(['%s'] * 7)})", row)


def strokes(dice: np.random.Generator) -> np.ndarray:
    """Something of a glyph's size when compressed."""
    glyph = np.zeros((28, 28), np.uint8)
    for _ in range(3):
        row, column = dice.integers(4, 22, 2)
        glyph[row : row + 3, 4:24] = dice.integers(100, 255, (3, 20))
        glyph[4:24, column : column + 2] = dice.integers(100, 255, (20, 2))
    return glyph


def reset_sequences(cursor: Any) -> None:
    """Keys were given, so the next ones have to be told."""
    from django.core.management.color import no_style
    from django.db import connection

    from labeling.models import LabelEvent
    from predictions.models import Prediction

    for statement in connection.ops.sequence_reset_sql(no_style(), [Prediction, LabelEvent]):
        cursor.execute(statement)


def public_id(key: int) -> uuid.UUID:
    return uuid.UUID(int=key)
